import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { type Client, interactionPolicy, type ProviderContext, type TokenSource } from 'oidc-provider'
import { describeResource, resolveAudience, shapeAccessToken } from './audience.ts'
import type { Grants } from './grants.ts'
import type { DemoClient, DemoTenant } from './options.ts'
import { renderProviderError } from './pages.ts'

const secondsPerHour = 3_600
const secondsPerDay = 24 * secondsPerHour

/** Auth0's paths, so that what is learnt here holds there. */
export const paths = {
  authorization: '/authorize',
  token: '/oauth/token',
  revocation: '/oauth/revoke',
  jwks: '/.well-known/jwks.json',
  end_session: '/oidc/logout',
  userinfo: '/userinfo',
  pushed_authorization_request: '/oauth/par',
}

/** The configuration that makes oidc-provider behave like an Auth0 tenant. */
export function createConfiguration(tenant: DemoTenant, grants: Grants): object {
  return {
    routes: paths,
    clients: tenant.clients.map(toClientMetadata),
    jwks: { keys: [createSigningKey()] },
    cookies: { keys: [randomBytes(32).toString('base64url')], names: cookieNames },
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    claims: { openid: ['sub'], profile: ['name', 'nickname'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    clientAuthMethods: ['client_secret_post', 'client_secret_basic'],
    features: createFeatures(tenant),
    extraParams: { audience: null, offline_requested: rememberOffline },
    formats: { customizers: { jwt: customizeJwt(tenant) } },
    ttl: createTtl(tenant),
    acrValues: tenant.acrValues,
    findAccount: (_ctx: unknown, id: string) => findAccount(tenant, id),
    loadExistingGrant: grants.create,
    issueRefreshToken: (_ctx: unknown, _client: unknown, source: TokenSource) =>
      grants.isOffline(source.grantId),
    expiresWithSession: () => false,
    rotateRefreshToken: (ctx: ProviderContext) => rotateRefreshToken(tenant, ctx),
    interactions: {
      policy: createPolicy(),
      url: (_ctx: unknown, interaction: { uid: string }) => `/u/login/${interaction.uid}`,
    },
    pkce: { required: () => false },
    renderError: renderProviderError,
    fetch: sendBackchannel,
  }
}

/** Names of their own: cookies of one host are shared by all its ports. */
const cookieNames = {
  session: 'demo_provider_sso',
  interaction: 'demo_provider_login',
  resume: 'demo_provider_resume',
}

function toClientMetadata(client: DemoClient): object {
  const endpoint = (path: string): string =>
    `${client.baseUrl.replace(/\/$/, '')}${client.authPrefix ?? ''}${path}`
  return {
    client_id: client.clientId,
    client_secret: client.clientSecret,
    client_name: 'Coatcheck demo',
    token_endpoint_auth_method: client.authentication ?? 'client_secret_post',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [endpoint('/callback')],
    post_logout_redirect_uris: [endpoint('/logout/callback')],
    // Without these two the library never puts a sid into the ID token, whether logout tokens are sent or not.
    backchannel_logout_session_required: true,
    backchannel_logout_uri: client.backchannelLogoutUrl ?? endpoint('/backchannel-logout'),
  }
}

function createSigningKey(): object {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  return {
    ...privateKey.export({ format: 'jwk' }),
    alg: 'RS256',
    use: 'sig',
    kid: randomBytes(8).toString('hex'),
  }
}

function createFeatures(tenant: DemoTenant): object {
  return {
    devInteractions: { enabled: false },
    // Tokens are bound for whoever shows a proof; nobody has to (RFC 9449).
    dPoP: { enabled: true },
    backchannelLogout: { enabled: true },
    revocation: { enabled: true, allowedPolicy: isOwnToken },
    encryption: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx: ProviderContext, _client: unknown, oneOf?: string[]) =>
        oneOf?.[0] ?? resolveAudience(tenant, ctx.oidc.params.audience),
      getResourceServerInfo: (_ctx: unknown, identifier: string) => describeResource(tenant, identifier),
      useGrantedResource: () => true,
    },
  }
}

const isOwnToken = (_ctx: unknown, client: Client, token: TokenSource): boolean =>
  token.clientId === client.clientId

/** A sign-in that was weaker than what is asked for now is asked for again; the library takes `acr_values` for a mere wish. */
function createPolicy(): object {
  const policy = interactionPolicy.base()
  const isWeaker = ({ oidc }: ProviderContext): boolean => {
    const wanted = oidc.params.acr_values?.split(' ') ?? []
    return wanted.length > 0 && !wanted.includes(oidc.acr ?? '')
  }
  const check = new interactionPolicy.Check('acr_wanted', 'a stronger sign-in is asked for', isWeaker)
  policy.get('login').checks.add(check)
  return policy
}

function createTtl(tenant: DemoTenant): object {
  return {
    AccessToken: () => tenant.knobs.accessTokenTtlSeconds,
    AuthorizationCode: 60,
    Grant: 30 * secondsPerDay,
    IdToken: 10 * secondsPerHour,
    Interaction: secondsPerHour,
    RefreshToken: 30 * secondsPerDay,
    Session: 3 * secondsPerDay,
  }
}

/** The library drops `offline_access` from the scope unless consent is asked for; Auth0 does not, so it is noted down first. */
function rememberOffline({ oidc, query }: ProviderContext): void {
  const scope = oidc.body?.scope ?? query.scope
  if (typeof scope === 'string' && scope.split(' ').includes('offline_access'))
    oidc.params.offline_requested = 'yes'
}

const customizeJwt =
  (tenant: DemoTenant) =>
  (
    { oidc }: ProviderContext,
    token: TokenSource,
    jwt: { header?: object; payload: Record<string, unknown> },
  ): void => {
    shapeAccessToken(tenant, token, jwt)
    // Auth0 needs an Action for this: APIs that ask for a fresh sign-in have to see when the last one was (RFC 9470 section 6.1).
    const { AuthorizationCode: code, RefreshToken: refreshToken } = oidc.entities
    jwt.payload.auth_time = code?.authTime ?? refreshToken?.authTime
    jwt.payload.acr = code?.acr ?? refreshToken?.acr
  }

function findAccount(tenant: DemoTenant, id: string): object | undefined {
  const user = tenant.users.find((candidate) => candidate.id === id)
  if (user === undefined) return undefined
  const { name, email } = user
  const claims = { sub: id, name, nickname: email.split('@')[0], email, email_verified: true }
  return { accountId: id, claims: () => claims }
}

/** Also takes the `sid` away: the ID token of a refresh at Auth0 has none. */
function rotateRefreshToken(tenant: DemoTenant, ctx: ProviderContext): boolean {
  const refreshToken = ctx.oidc.entities.RefreshToken
  if (refreshToken !== undefined) refreshToken.sid = undefined
  return tenant.knobs.rotateRefreshTokens
}

/** The library's dispatcher refuses loopback addresses, where the gateways of a demo are. */
function sendBackchannel(url: string, options: RequestInit & { dispatcher?: unknown }): Promise<Response> {
  const { dispatcher: _refusesLoopback, ...rest } = options
  return fetch(url, rest)
}
