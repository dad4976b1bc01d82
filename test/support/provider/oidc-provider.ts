import { type DemoProviderOptions, type DemoUser, toKnobs } from '../../../src/dev/provider/options.ts'
import { type DemoProvider, startDemoProvider } from '../../../src/dev/provider/provider.ts'
import { type Gate, startGate } from '../fronts/gate.ts'

/** The API's identifier at the provider. */
export const apiAudience = 'https://api.example.test'

export const testClient = { id: 'coatcheck-test', secret: 'client-secret-that-nobody-may-ever-see' }

/** Signs in unless a `login_hint` names somebody else. */
export const alice: DemoUser = {
  id: 'auth0|alice',
  name: 'Alice Archer',
  email: 'alice@example.test',
  permissions: { [apiAudience]: ['read:orders', 'admin:orders'] },
}

/** Lacks the permission for `/admin`. */
export const bob: DemoUser = {
  id: 'auth0|bob',
  name: 'Bob Baker',
  email: 'bob@example.test',
  permissions: { [apiAudience]: ['read:orders'] },
}

/** Paths of the provider, as Auth0 has them. */
export const providerPaths = {
  authorize: '/authorize',
  token: '/oauth/token',
  revoke: '/oauth/revoke',
  logout: '/oidc/logout',
  jwks: '/.well-known/jwks.json',
  discovery: '/.well-known/openid-configuration',
}

/** The demo provider behind a gate that can hold it up or take it down, on another site than the gateway. */
export interface TestProvider {
  readonly issuer: string
  readonly gate: Gate
  readonly knobs: DemoProvider['knobs']
  /** Token requests with this grant that were answered. */
  grants(type: 'authorization_code' | 'refresh_token'): number
  /** What the last answered token request got. */
  lastTokens(): { readonly idToken: string; readonly refreshToken: string; readonly accessToken: string }
  /** The status of a refresh grant made by the test itself; a live token is spent by it. */
  tryRefresh(refreshToken: string): Promise<number>
  /** The provider forgets everything and signs with new keys from now on. */
  replaceKeys(): Promise<void>
  stop(): Promise<void>
}

/** What the provider has to know about the gateway. */
export interface TestProviderOptions extends Partial<DemoProviderOptions> {
  readonly baseUrl: string
  readonly authPrefix?: string
  readonly backchannelLogoutUrl: string | null
}

/** Starts the provider; nobody ever sees a login page. */
export async function startTestProvider(options: TestProviderOptions): Promise<TestProvider> {
  // Another host name than the gateway's, so that the way through the provider crosses sites as it does in life.
  const gate = await startGate({ targetPort: 0, hostname: 'localhost' })
  const issuer = `${gate.origin}/`
  const { baseUrl, authPrefix = '', backchannelLogoutUrl, ...rest } = options
  const knobs = toKnobs({ accessTokenTtlSeconds: 600, autoLogin: alice.id, ...rest })
  const start = async (): Promise<DemoProvider> => {
    const started = await startDemoProvider({
      clients: [
        {
          clientId: testClient.id,
          clientSecret: testClient.secret,
          baseUrl,
          authPrefix,
          backchannelLogoutUrl,
        },
      ],
      apis: [{ identifier: apiAudience, permissions: ['read:orders', 'admin:orders'] }],
      users: [alice, bob],
      ...rest,
      ...knobs,
      issuer,
    })
    gate.retarget(started.port)
    return started
  }
  let provider = await start()
  return {
    issuer,
    gate,
    get knobs() {
      return provider.knobs
    },
    grants: (type) =>
      gate.passed.filter(
        ({ path, requestBody }) =>
          path === providerPaths.token && new URLSearchParams(requestBody).get('grant_type') === type,
      ).length,
    lastTokens: () => lastTokens(gate),
    tryRefresh: (refreshToken) => tryRefresh(gate, refreshToken),
    async replaceKeys() {
      const old = provider
      provider = await start()
      await old.stop()
    },
    async stop() {
      await gate.down()
      await provider.stop()
    },
  }
}

function lastTokens(gate: Gate): ReturnType<TestProvider['lastTokens']> {
  const last = gate.passed.findLast(({ path, status }) => path === providerPaths.token && status === 200)
  const body = JSON.parse(last?.responseBody ?? '{}') as Record<string, string | undefined>
  return {
    idToken: body.id_token ?? '',
    refreshToken: body.refresh_token ?? '',
    accessToken: body.access_token ?? '',
  }
}

async function tryRefresh(gate: Gate, refreshToken: string): Promise<number> {
  const response = await fetch(`${gate.origin}${providerPaths.token}`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
      client_id: testClient.id,
      client_secret: testClient.secret,
    }),
  })
  await response.text()
  return response.status
}

/** The claims of a JWT, unverified. */
export function claimsOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
}
