import { Buffer } from 'node:buffer'
import { tokenRevocation } from 'openid-client'
import { within } from '../../basics/within.ts'
import type { ProviderContext } from '../provider/context.ts'
import { endpointOf, isAuth0 } from '../provider/endpoints.ts'
import type { ProviderOptions } from '../provider/options.ts'
import { providerHints } from '../provider/profiles/hints.ts'
import type { RevocationReason } from '../provider/provider.ts'
import type { Identity } from '../tokens/token-set.ts'

/** Input of {@link endSessionUrl}. */
export interface EndSessionRequest {
  readonly idToken: string | undefined
  readonly identity: Identity | undefined
  readonly state: string
}

/** Longer hints make URLs that servers and balancers refuse, bytes. */
const longestHint = 4_096
/** A logout never waits longer for a provider, milliseconds. */
const revocationTimeoutMs = 2_000

/** Where the provider sends the browser after a logout. */
export function postLogoutRedirectUri(options: Pick<ProviderOptions, 'baseUrl' | 'authPrefix'>): string {
  return `${options.baseUrl.origin}${options.authPrefix}/logout/callback`
}

/**
 * The end-session URL (OpenID Connect RP-Initiated Logout 1.0 section 2); for an Auth0 issuer that announces none, its `/v2/logout`.
 * `undefined` when the provider has neither, or was never discovered. Makes no request.
 */
export function endSessionUrl(
  { options, client }: Pick<ProviderContext, 'options' | 'client'>,
  request: EndSessionRequest,
): URL | undefined {
  const metadata = client.current()?.serverMetadata()
  const announced =
    metadata === undefined ? undefined : endpointOf(metadata, 'end_session_endpoint', options.issuerUrl)
  const page = options.endSessionUrl ?? announced
  if (page === undefined) return isAuth0(options.issuerUrl, metadata) ? auth0LogoutUrl(options) : undefined
  const url = new URL(page)
  const parameters = {
    ...hintOf(request),
    client_id: options.clientId,
    post_logout_redirect_uri: postLogoutRedirectUri(options),
    state: request.state,
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url
}

function hintOf({ idToken, identity }: EndSessionRequest): Readonly<Record<string, string>> {
  // A session of the test kit has none.
  if (idToken !== undefined && idToken !== '' && idToken.length <= longestHint)
    return { id_token_hint: idToken }
  const hint = identity?.providerSessionId
  return hint === undefined || Buffer.byteLength(hint) > longestHint ? {} : { logout_hint: hint }
}

function auth0LogoutUrl(options: ProviderOptions): URL {
  const url = new URL('/v2/logout', options.issuerUrl)
  url.searchParams.set('client_id', options.clientId)
  url.searchParams.set('returnTo', postLogoutRedirectUri(options))
  return url
}

/**
 * Revokes a refresh token (RFC 7009), best effort: whether the provider said within 2 s that it is done. Never throws.
 *
 * @param reason decides, by the provider's profile, whether it is asked at all
 */
export function revoke(
  context: ProviderContext,
  refreshToken: string,
  reason: RevocationReason,
): Promise<boolean> {
  return context.revocations.add(askToRevoke(context, refreshToken, reason))
}

async function askToRevoke(
  { options, client, telemetry }: ProviderContext,
  refreshToken: string,
  reason: RevocationReason,
): Promise<boolean> {
  const configuration = client.current()
  if (configuration === undefined) return false
  if (!providerHints(options.issuerUrl, configuration.serverMetadata()).revokes(reason, options.scope))
    return false
  if (endpointOf(configuration.serverMetadata(), 'revocation_endpoint', options.issuerUrl) === undefined)
    return false
  const revoked = client
    .endpointConfiguration('revocation')
    .then((endpoint) => tokenRevocation(endpoint, refreshToken, { token_type_hint: 'refresh_token' }))
  const isDone = await within(revoked, revocationTimeoutMs, () => new Error('too late')).then(
    () => true,
    () => false,
  )
  if (!isDone) telemetry.log.warn('a refresh token could not be revoked at the identity provider')
  return isDone
}
