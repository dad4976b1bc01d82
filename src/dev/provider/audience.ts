import { randomBytes } from 'node:crypto'
import { errors, type ProviderContext, type TokenSource } from 'oidc-provider'
import { type DemoTenant, userinfoAudience } from './options.ts'

const identityScopes = ['openid', 'profile', 'email', 'offline_access']

/** Seals the tokens that nobody but the provider can read: nothing has to open them, so a new key at each start will do. */
const opaqueTokenKey = randomBytes(32)

/** Of APIs that are signed for with HS256; nobody verifies them here. */
const sharedSecret = randomBytes(32)

/**
 * Auth0's rule for the `audience` parameter: a registered API gives a JWT for it; none, or the userinfo endpoint, gives an opaque
 * token; anything else is refused with the words that Auth0 uses.
 */
export function resolveAudience(tenant: DemoTenant, audience: string | undefined): string | undefined {
  const userinfo = userinfoAudience(tenant)
  if (audience === undefined || audience === userinfo) {
    return tenant.knobs.opaqueTokens === 'jwe' ? userinfo : undefined
  }
  if (tenant.apis.some((api) => api.identifier === audience)) return audience
  throw new errors.AccessDenied(`Service not found: ${audience}`)
}

/** What oidc-provider wants to know about the audience of an access token. */
export function describeResource(tenant: DemoTenant, identifier: string): object {
  const common = { audience: identifier, accessTokenFormat: 'jwt' }
  if (identifier === userinfoAudience(tenant)) {
    const encrypt = { alg: 'dir', enc: 'A256GCM', key: opaqueTokenKey }
    return { ...common, scope: identityScopes.join(' '), jwt: { encrypt } }
  }
  const api = tenant.apis.find((candidate) => candidate.identifier === identifier)
  if (api === undefined) throw new errors.AccessDenied(`Service not found: ${identifier}`)
  return {
    ...common,
    scope: [...identityScopes, ...api.permissions].join(' '),
    jwt: { sign: api.signingAlgorithm === 'HS256' ? { alg: 'HS256', key: sharedSecret } : { alg: 'RS256' } },
  }
}

/** The permissions that a user has for an API. */
export function permissionsOf(tenant: DemoTenant, userId: string, identifier: string): readonly string[] {
  return tenant.users.find((user) => user.id === userId)?.permissions[identifier] ?? []
}

/** Writes the claims of an API's access token as Auth0 does with RBAC and "Add Permissions in the Access Token". */
export function shapeAccessToken(
  tenant: DemoTenant,
  token: TokenSource,
  jwt: { header?: object; payload: Record<string, unknown> },
): void {
  const identifier = token.resourceServer?.identifier() ?? ''
  if (identifier === userinfoAudience(tenant)) return
  const { client_id: authorizedParty, jti: _unused, ...payload } = jwt.payload
  jwt.payload = {
    ...payload,
    azp: authorizedParty,
    aud: [identifier, userinfoAudience(tenant)],
    permissions: permissionsOf(tenant, token.accountId, identifier),
  }
  jwt.header = { typ: 'JWT' }
}

/** Says whether a refresh token may be given: the scope asked for it and the API allows offline access. */
export function allowsOffline(tenant: DemoTenant, { oidc }: ProviderContext): boolean {
  if (oidc.params.offline_requested === undefined) return false
  const asked = Object.keys(oidc.resourceServers)
  return tenant.apis.every((api) => !asked.includes(api.identifier) || api.allowOfflineAccess !== false)
}
