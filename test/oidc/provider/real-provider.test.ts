import { CookieJar } from 'tough-cookie'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DemoProvider, startDemoProvider } from '../../../src/dev/provider/provider.ts'
import { createProvider } from '../../../src/oidc/provider/create-provider.ts'
import type { ProviderOptions } from '../../../src/oidc/provider/options.ts'
import type { CompletedLogin, LoginTransaction, Provider } from '../../../src/oidc/provider/provider.ts'
import { createAudit } from '../../../src/telemetry/audit.ts'
import { silentLogger } from '../../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../../src/telemetry/measures/metrics.ts'

const api = 'https://api.example.test'
const baseUrl = 'http://127.0.0.1:3999'
const audience = { key: api, value: api, parameter: 'audience', accepted: [api], scope: undefined } as const

let tenant: DemoProvider
const providers: Provider[] = []

function openProvider(changes: Partial<ProviderOptions> = {}): Provider {
  const log = silentLogger()
  const provider = createProvider(
    {
      issuerUrl: tenant.issuer,
      clientId: 'gateway',
      clientSecret: 'gateway-secret-of-the-test',
      clientAuthentication: 'client_secret_post',
      baseUrl: new URL(baseUrl),
      authPrefix: '',
      scope: 'openid profile email offline_access',
      audience,
      accessTokenFormat: 'jwt',
      authorizationParameters: {},
      tokenParameters: {},
      endSessionUrl: undefined,
      userClaims: ['sub', 'name'],
      providerTimeout: 5,
      ...changes,
    },
    { telemetry: { log, audit: createAudit(log), metrics: noMetrics }, now: Date.now },
  )
  providers.push(provider)
  return provider
}

/** Follows the provider's redirects as a browser would, up to the callback; returns its query. */
async function signInAt(start: URL): Promise<string> {
  const jar = new CookieJar()
  for (let url = start.href; ; ) {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: await jar.getCookieString(url) },
    })
    for (const cookie of response.headers.getSetCookie()) await jar.setCookie(cookie, url)
    const location = response.headers.get('location')
    if (location === null) throw new Error(`no redirect but ${response.status} at ${new URL(url).pathname}`)
    const next = new URL(location, url)
    if (next.href.startsWith(`${baseUrl}/callback`)) return next.search.slice(1)
    url = next.href
  }
}

async function startLogin(provider: Provider): Promise<{ query: string; transaction: LoginTransaction }> {
  const { url, transaction } = await provider.beginLogin({
    returnTo: '/',
    parameters: {},
    endsSession: undefined,
  })
  return { query: await signInAt(url), transaction }
}

async function logIn(provider: Provider): Promise<CompletedLogin> {
  const { query, transaction } = await startLogin(provider)
  await provider.checkAuthorizationResponse(query, transaction)
  return provider.completeLogin(query, transaction)
}

beforeAll(async () => {
  tenant = await startDemoProvider({
    clients: [
      {
        clientId: 'gateway',
        clientSecret: 'gateway-secret-of-the-test',
        baseUrl,
        backchannelLogoutUrl: null,
      },
    ],
    apis: [{ identifier: api, permissions: ['read:coats'] }],
    users: [
      {
        id: 'auth0|alice',
        name: 'Alice',
        email: 'alice@example.test',
        permissions: { [api]: ['read:coats'] },
      },
    ],
    autoLogin: 'auth0|alice',
  })
})

afterAll(async () => {
  for (const provider of providers) await provider.close()
  await tenant.stop()
})

describe('a login at a real provider', () => {
  it('yields the user, a JWT for the API and a refresh token', async () => {
    const login = await logIn(openProvider())
    expect(login.identity).toMatchObject({ issuer: tenant.issuer, subject: 'auth0|alice' })
    expect(login.identity.claims).toEqual({ sub: 'auth0|alice', name: 'Alice' })
    expect(login.identity.providerSessionId).toEqual(expect.any(String))
    expect(login.accessToken.value.split('.')).toHaveLength(3)
    expect(login.refreshToken).toEqual(expect.any(String))
    expect(login.accessToken.expiresAtMs).toBeGreaterThan(Date.now())
  })

  it('without an audience is refused, and says that the token is encrypted and what to change', async () => {
    const provider = openProvider({ audience: { ...audience, parameter: 'none', value: undefined } })
    await expect(logIn(provider)).rejects.toMatchObject({
      code: 'access_token_unusable',
      detail: expect.stringContaining(api),
    })
  })

  it('for an audience that is not registered is denied with the remedy', async () => {
    const provider = openProvider({ audience: { ...audience, value: 'https://other.example.test' } })
    const { query, transaction } = await startLogin(provider)
    await expect(provider.checkAuthorizationResponse(query, transaction)).rejects.toMatchObject({
      code: 'login_denied',
      detail: expect.stringContaining('does not know the API audience'),
    })
  })

  it('with a wrong client secret is the operator’s fault, not the user’s', async () => {
    const provider = openProvider({ clientSecret: 'another-secret-altogether' })
    await expect(logIn(provider)).rejects.toMatchObject({ code: 'provider_rejected' })
  })

  it('with a code that was used before is refused', async () => {
    const provider = openProvider()
    const { query, transaction } = await startLogin(provider)
    await provider.completeLogin(query, transaction)
    await expect(provider.completeLogin(query, transaction)).rejects.toMatchObject({ code: 'login_refused' })
  })

  it('with the state of another login goes nowhere', async () => {
    const provider = openProvider()
    const [one, other] = [await startLogin(provider), await startLogin(provider)]
    await expect(provider.checkAuthorizationResponse(one.query, other.transaction)).rejects.toMatchObject({
      code: 'login_state_invalid',
    })
  })
})

describe('a refresh at a real provider', () => {
  it('yields a new access token, rotates the refresh token and keeps the provider session', async () => {
    const provider = openProvider()
    const login = await logIn(provider)
    const outcome = await provider.refresh({
      refreshToken: login.refreshToken ?? '',
      identity: login.identity,
      audience,
    })
    expect(outcome).toMatchObject({ kind: 'refreshed', identity: { subject: 'auth0|alice' } })
    if (outcome.kind !== 'refreshed') return
    // Tokens of the same second may be the same text: the rotation shows that this one is new.
    expect(outcome.accessToken.value.split('.')).toHaveLength(3)
    expect(outcome.refreshToken).toEqual(expect.any(String))
    expect(outcome.refreshToken).not.toBe(login.refreshToken)
    expect(outcome.identity.providerSessionId).toBe(login.identity.providerSessionId)
  })

  it('with a spent refresh token is refused', async () => {
    const provider = openProvider()
    const { refreshToken = '', identity } = await logIn(provider)
    await provider.refresh({ refreshToken, identity, audience })
    expect(await provider.refresh({ refreshToken, identity, audience })).toMatchObject({ kind: 'refused' })
  })

  it('with a revoked refresh token is refused', async () => {
    const provider = openProvider()
    const { refreshToken = '', identity } = await logIn(provider)
    expect(await provider.revoke(refreshToken, 'logout')).toBe(true)
    expect(await provider.refresh({ refreshToken, identity, audience })).toMatchObject({ kind: 'refused' })
  })

  it('with a wrong client secret keeps the session', async () => {
    const { refreshToken = '', identity } = await logIn(openProvider())
    const outcome = await openProvider({ clientSecret: 'another-secret-altogether' }).refresh({
      refreshToken,
      identity,
      audience,
    })
    expect(outcome).toMatchObject({ kind: 'rejected' })
  })

  it('of another user’s session is invalid, and what it brought can be revoked', async () => {
    const provider = openProvider()
    const { refreshToken = '', identity } = await logIn(provider)
    const outcome = await provider.refresh({
      refreshToken,
      identity: { ...identity, subject: 'auth0|mallory' },
      audience,
    })
    expect(outcome).toMatchObject({ kind: 'invalid', obtainedRefreshToken: expect.any(String) })
  })
})

describe('a provider', () => {
  it('that is down is unavailable, and says so without an address', async () => {
    const provider = openProvider({ issuerUrl: 'http://127.0.0.1:9/' })
    const failure = await provider
      .beginLogin({ returnTo: '/', parameters: {}, endsSession: undefined })
      .catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'provider_unavailable' })
    expect(provider.status()).toMatchObject({ ready: false })
    expect(provider.status().reason).not.toContain('127.0.0.1')
  })

  it('whose issuer differs by a slash only is refused with that hint', async () => {
    const provider = openProvider({ issuerUrl: tenant.issuer.replace(/\/$/, '') })
    await provider
      .beginLogin({ returnTo: '/', parameters: {}, endsSession: undefined })
      .catch(() => undefined)
    expect(provider.status().reason).toContain('only the trailing slash differs')
  })

  it('gives an end-session URL with hint, client and state', async () => {
    const provider = openProvider()
    const login = await logIn(provider)
    const url = provider.endSessionUrl({ idToken: login.idToken, identity: login.identity, state: 's1' })
    expect(Object.fromEntries(url?.searchParams ?? [])).toEqual({
      id_token_hint: login.idToken,
      client_id: 'gateway',
      post_logout_redirect_uri: `${baseUrl}/logout/callback`,
      state: 's1',
    })
  })
})
