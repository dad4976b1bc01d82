import type { ServerMetadata } from 'openid-client'
import { proofAlgorithm } from '../../../signing/dpop-key.ts'
import type { ProviderOptions } from '../options.ts'

/**
 * What the provider demands of every client, or cannot do, and the settings do not meet: every login would fail there. One line each, with the
 * remedy.
 */
export function unmetDemands(
  metadata: ServerMetadata,
  {
    pushedAuthorizationRequests = 'off',
    responseMode = 'query',
    requestObject,
    tokenBinding,
  }: Partial<DemandedOptions>,
): readonly string[] {
  const { require_pushed_authorization_requests: mustPush, response_modes_supported: modes } = metadata
  const { dpop_signing_alg_values_supported: proofs } = metadata
  const found: string[] = []
  if (mustPush === true && pushedAuthorizationRequests === 'off')
    found.push(
      'the provider takes pushed authorization requests only: set PUSHED_AUTHORIZATION_REQUESTS=auto',
    )
  if (metadata.require_signed_request_object === true && requestObject !== 'signed')
    found.push(
      'the provider takes signed authorization requests only: set REQUEST_OBJECT=signed, with CLIENT_KEY',
    )
  if (Array.isArray(modes) && !isModeAnnounced(modes, responseMode)) {
    found.push(
      `the provider does not announce the response mode "${responseMode}", only ${modes.join(', ')}: set RESPONSE_MODE to one that both can do`,
    )
  }
  if (tokenBinding === 'dpop' && Array.isArray(proofs) && !proofs.includes(proofAlgorithm)) {
    found.push(
      `the provider takes proofs of possession (DPoP) signed with ${proofs.join(', ') || 'nothing'}, not ${proofAlgorithm}: let it take ${proofAlgorithm}, or set TOKEN_BINDING to mtls or none`,
    )
  }
  return found
}

/** Whether announced response modes hold one of ours: `jwt` is the one for the query there, under its short name (JARM section 2.3.4). */
export function isModeAnnounced(modes: readonly string[], mode: string): boolean {
  return modes.includes(mode) || (mode === 'jwt' && modes.includes('query.jwt'))
}

/** Settings that meet such demands. */
type DemandedOptions = Pick<
  ProviderOptions,
  'pushedAuthorizationRequests' | 'responseMode' | 'requestObject' | 'tokenBinding'
>
