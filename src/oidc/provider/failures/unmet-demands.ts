import type { ServerMetadata } from 'openid-client'
import type { ProviderOptions } from '../options.ts'

/**
 * What the provider demands of every client, or cannot do, and the settings do not meet: every login would fail there. One line each, with the
 * remedy.
 */
export function unmetDemands(
  metadata: ServerMetadata,
  { pushedAuthorizationRequests = 'off', responseMode = 'query' }: Partial<DemandedOptions>,
): readonly string[] {
  const { require_pushed_authorization_requests: mustPush, response_modes_supported: modes } = metadata
  const found: string[] = []
  if (mustPush === true && pushedAuthorizationRequests === 'off')
    found.push(
      'the provider takes pushed authorization requests only: set PUSHED_AUTHORIZATION_REQUESTS=auto',
    )
  if (Array.isArray(modes) && !modes.includes(responseMode)) {
    found.push(
      `the provider does not announce the response mode "${responseMode}", only ${modes.join(', ')}: set RESPONSE_MODE to one that both can do`,
    )
  }
  return found
}

/** Settings that meet such demands. */
type DemandedOptions = Pick<ProviderOptions, 'pushedAuthorizationRequests' | 'responseMode'>
