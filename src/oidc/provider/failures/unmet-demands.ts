import type { ServerMetadata } from 'openid-client'
import { proofAlgorithm } from '../../../signing/dpop-key.ts'
import { allowedAlgorithms } from '../algorithms.ts'
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
    idTokenAlgorithm,
  }: Partial<DemandedOptions>,
): readonly string[] {
  const { require_pushed_authorization_requests: mustPush, response_modes_supported: modes } = metadata
  const { dpop_signing_alg_values_supported: proofs } = metadata
  const found = [
    ...unknownEndpoint(metadata, pushedAuthorizationRequests),
    ...unknownAlgorithm(metadata, idTokenAlgorithm),
  ]
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

/** Logins that are pushed to nowhere. */
function unknownEndpoint(
  {
    require_pushed_authorization_requests: mustPush,
    pushed_authorization_request_endpoint: endpoint,
    mtls_endpoint_aliases: aliases,
  }: ServerMetadata,
  configured: DemandedOptions['pushedAuthorizationRequests'],
): readonly string[] {
  const pushes = configured === 'on' || (configured === 'auto' && mustPush === true)
  if (!pushes || endpoint !== undefined || aliases?.pushed_authorization_request_endpoint !== undefined)
    return []
  return [
    'logins are pushed (PUSHED_AUTHORIZATION_REQUESTS, SECURITY_PROFILE, or because the provider demands it), and it announces no endpoint for that',
  ]
}

/** ID tokens of which none would be taken. */
function unknownAlgorithm(
  { id_token_signing_alg_values_supported: announced }: ServerMetadata,
  configured: DemandedOptions['idTokenAlgorithm'],
): readonly string[] {
  if (!Array.isArray(announced)) return []
  const taken = allowedAlgorithms(configured, {})
  if (allowedAlgorithms(announced, {}).some((name) => taken.includes(name))) return []
  return [
    configured === undefined
      ? `the provider signs ID tokens with ${announced.join(', ') || 'nothing'} only: let it sign those of this client with RS256, PS256 or ES256`
      : `the provider signs ID tokens with ${announced.join(', ') || 'nothing'}, and ID_TOKEN_ALGORITHM (or SECURITY_PROFILE) takes ${configured.join(', ')} alone`,
  ]
}

/** Whether announced response modes hold one of ours: `jwt` is the one for the query there, under its short name (JARM section 2.3.4). */
export function isModeAnnounced(modes: readonly string[], mode: string): boolean {
  return modes.includes(mode) || (mode === 'jwt' && modes.includes('query.jwt'))
}

/** Settings that meet such demands. */
type DemandedOptions = Pick<
  ProviderOptions,
  'pushedAuthorizationRequests' | 'responseMode' | 'requestObject' | 'tokenBinding' | 'idTokenAlgorithm'
>
