import { isPlainObject } from '../../basics/plain-object.ts'
import { isLoopback } from '../../config/settings/kinds/address.ts'
import type { ProviderOptions } from './options.ts'

/** A discovery document; each member is looked at before it is believed. */
export type UntrustedMetadata = Readonly<Record<string, unknown>>

/** Endpoints that may be missing. */
type OptionalEndpoint =
  | 'end_session_endpoint'
  | 'revocation_endpoint'
  | 'userinfo_endpoint'
  | 'pushed_authorization_request_endpoint'
/** Endpoints without which no login is possible. */
type RequiredEndpoint = 'authorization_endpoint' | 'token_endpoint' | 'jwks_uri'
/** The member of the metadata that names an endpoint. */
export type EndpointMember = OptionalEndpoint | RequiredEndpoint

/**
 * An endpoint as the metadata names it, or `undefined` when it is missing or unsafe: https, or plain http on loopback for an issuer that is
 * there as well. Keys or tokens that travel in the clear could be anybody's.
 */
export function endpointOf(
  metadata: UntrustedMetadata,
  name: EndpointMember,
  issuerUrl: string,
): URL | undefined {
  const untrusted: unknown = metadata[name]
  const url = typeof untrusted === 'string' ? URL.parse(untrusted) : null
  if (url === null || url.username !== '' || url.password !== '') return undefined
  const isLocal = url.protocol === 'http:' && isLoopback(url) && new URL(issuerUrl).protocol === 'http:'
  return url.protocol === 'https:' || isLocal ? url : undefined
}

/**
 * An endpoint where we call it: a client that shows a certificate calls the address that the provider keeps for such clients, where there is one
 * (RFC 8705 section 5). As the OpenID library chooses it.
 */
export function calledEndpoint(
  metadata: UntrustedMetadata,
  name: EndpointMember,
  { clientCertificate, issuerUrl }: Pick<ProviderOptions, 'clientCertificate' | 'issuerUrl'>,
): URL | undefined {
  const aliases = clientCertificate === undefined ? undefined : metadata.mtls_endpoint_aliases
  const hasAlias = isPlainObject(aliases) && Object.hasOwn(aliases, name)
  return endpointOf(hasAlias ? aliases : metadata, name, issuerUrl)
}

/** Whether the provider is Auth0, which custom domains hide: by its host, or by endpoints that only Auth0 has. */
export function isAuth0(issuerUrl: string, metadata: UntrustedMetadata | undefined): boolean {
  const issuer = new URL(issuerUrl)
  if (issuer.hostname.endsWith('.auth0.com')) return true
  const place = (path: string): string => new URL(path, issuer).href
  return (
    issuer.pathname === '/' &&
    metadata?.token_endpoint === place('/oauth/token') &&
    metadata.mfa_challenge_endpoint === place('/mfa/challenge')
  )
}
