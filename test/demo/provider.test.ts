import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterEach, describe, expect, it } from 'vitest'
import type { DemoProviderOptions } from '../../src/dev/provider/options.ts'
import { type DemoProvider, startDemoProvider } from '../../src/dev/provider/provider.ts'
import {
  audience,
  authorize,
  claimsOf,
  client,
  isOfApp,
  newTab,
  refresh,
  request,
  signIn,
  tenant,
} from './sign-in.ts'

let provider: DemoProvider
let server: Server | undefined

async function start(changes: Partial<DemoProviderOptions> = {}): Promise<void> {
  provider = await startDemoProvider({ ...tenant, ...changes })
}

afterEach(async () => {
  await provider.stop()
  server?.close()
  server = undefined
})

describe('access tokens', () => {
  it('are RS256 JWTs for the API and the userinfo endpoint when the audience is registered', async () => {
    await start()
    const { access_token } = await signIn(provider, { audience })
    const keys = createRemoteJWKSet(new URL('.well-known/jwks.json', provider.issuer))
    const { payload, protectedHeader } = await jwtVerify(access_token, keys, {
      issuer: provider.issuer,
      audience,
    })
    expect(protectedHeader).toMatchObject({ alg: 'RS256', typ: 'JWT' })
    expect(payload.aud).toEqual([audience, `${provider.issuer}userinfo`])
    expect(payload).toMatchObject({ sub: 'demo|ada', azp: client.clientId })
  })

  it('carry all permissions of the user and only the scope that was asked for', async () => {
    await start()
    const { access_token } = await signIn(provider, {
      audience,
      scope: 'openid read:x',
      login_hint: 'demo|ada',
    })
    expect(claimsOf(access_token)).toMatchObject({
      permissions: ['read:x', 'write:x'],
      scope: 'openid read:x',
    })
  })

  it('leave out a scope that the user was not assigned, and the login goes through', async () => {
    await start()
    const { access_token } = await signIn(provider, { audience, login_hint: 'ben@example.com' })
    expect(claimsOf(access_token)).toMatchObject({ sub: 'demo|ben', permissions: ['read:x'] })
    expect(claimsOf(access_token).scope).not.toContain('write:x')
  })

  it.each([
    ['jwe', 5],
    ['string', 1],
  ] as const)('are opaque without an audience (%s)', async (opaqueTokens, parts) => {
    await start({ opaqueTokens })
    const { access_token } = await signIn(provider, {})
    expect(access_token.split('.')).toHaveLength(parts)
    expect(access_token.startsWith('eyJ')).toBe(parts === 5)
  })

  it('live as long as the knob says, also when it is turned while the provider runs', async () => {
    await start()
    provider.knobs.accessTokenTtlSeconds = 7
    const { exp = 0, iat = 0 } = claimsOf((await signIn(provider, { audience })).access_token)
    expect(exp - iat).toBe(7)
  })

  it.each(['https://unknown.example', 'not a URL'])(
    'are refused for the unregistered audience %j',
    async (wrong) => {
      await start()
      const { url } = await authorize(provider, newTab(), { audience: wrong })
      expect(Object.fromEntries(url.searchParams)).toMatchObject({
        error: 'access_denied',
        error_description: `Service not found: ${wrong}`,
        state: 'the-state',
      })
    },
  )
})

describe('refresh tokens', () => {
  it('rotate, and the refreshed ID token has no sid', async () => {
    await start()
    const first = await signIn(provider, { audience })
    const second = await refresh(provider, first.refresh_token)
    expect(claimsOf(first.id_token)).toHaveProperty('sid')
    expect(claimsOf(second.id_token)).not.toHaveProperty('sid')
    expect(claimsOf(second.access_token).aud).toContain(audience)
    expect(second.refresh_token).not.toBe(first.refresh_token)
  })

  it('die with their whole family when one is used twice, with 403 invalid_grant', async () => {
    await start()
    const first = await signIn(provider, { audience })
    const second = await refresh(provider, first.refresh_token)
    expect(await refresh(provider, first.refresh_token)).toMatchObject({
      status: 403,
      error: 'invalid_grant',
    })
    expect(await refresh(provider, second.refresh_token)).toMatchObject({
      status: 403,
      error: 'invalid_grant',
    })
  })

  it('of another login survive the reuse', async () => {
    await start()
    const first = await signIn(provider, { audience })
    const other = await signIn(provider, { audience })
    await refresh(provider, first.refresh_token)
    await refresh(provider, first.refresh_token)
    expect(await refresh(provider, other.refresh_token)).toMatchObject({ status: 200 })
  })

  it('are silently not given when the API allows no offline access', async () => {
    await start({ apis: [{ identifier: audience, permissions: [], allowOfflineAccess: false }] })
    expect(await signIn(provider, { audience })).not.toHaveProperty('refresh_token')
  })

  it('are not given when the scope does not ask', async () => {
    await start()
    expect(await signIn(provider, { audience, scope: 'openid' })).not.toHaveProperty('refresh_token')
  })

  it('are refused with 401 access_denied when the client secret is wrong', async () => {
    await start()
    expect(await refresh(provider, 'any', 'wrong')).toMatchObject({ status: 401, error: 'access_denied' })
  })
})

describe('sign-in', () => {
  it('shows the users and signs in the one that is chosen', async () => {
    await start({ autoLogin: undefined })
    const tab = newTab()
    const page = await authorize(provider, tab, { audience })
    expect(page.answer.text()).toContain('<strong>Ben</strong>')
    const { url } = await tab.submit(page.url.href, { user: 'demo|ben' }, { stopBefore: isOfApp })
    expect(url.searchParams.get('code')).toBeTruthy()
  })

  it('answers access_denied when the user cancels', async () => {
    await start({ autoLogin: undefined })
    const tab = newTab()
    const page = await authorize(provider, tab, { audience })
    const { url } = await tab.submit(page.url.href, { action: 'cancel' }, { stopBefore: isOfApp })
    expect(url.searchParams.get('error')).toBe('access_denied')
  })

  it('does not ask again while the provider has a session', async () => {
    await start()
    const tab = newTab()
    await signIn(provider, { audience }, tab)
    const { url } = await authorize(provider, tab, { audience, prompt: 'none' })
    expect(url.searchParams.get('code')).toBeTruthy()
  })
})

describe('logout', () => {
  const endSession = (idToken: string, redirectUri: string): string =>
    `${provider.issuer}oidc/logout?${new URLSearchParams({
      client_id: client.clientId,
      id_token_hint: idToken,
      post_logout_redirect_uri: redirectUri,
      state: 'out',
    })}`

  it('ends the provider session and returns with the state', async () => {
    await start()
    const tab = newTab()
    const { id_token } = await signIn(provider, { audience }, tab)
    const { url } = await tab.open(endSession(id_token, `${client.baseUrl}/logout/callback`), {
      stopBefore: isOfApp,
    })
    expect(url.href).toBe(`${client.baseUrl}/logout/callback?state=out`)
    const again = await authorize(provider, tab, { audience, prompt: 'none' })
    expect(again.url.searchParams.get('error')).toBe('login_required')
  })

  it('ends the session itself, so that its old cookie is worth nothing', async () => {
    await start()
    const tab = newTab()
    const { hops } = await authorize(provider, tab, { audience })
    const cookie = hops.flatMap(({ setCookies }) => setCookies.map((line) => line.split(';')[0])).join('; ')
    await tab.open(`${provider.issuer}oidc/logout`)
    const question = `${provider.issuer}authorize?${new URLSearchParams({ ...request, prompt: 'none' })}`
    const answer = await fetch(question, { headers: { cookie }, redirect: 'manual' })
    expect(answer.headers.get('location')).toContain('error=login_required')
  })

  it('takes the older /v2/logout with returnTo', async () => {
    await start()
    const tab = newTab()
    await signIn(provider, { audience }, tab)
    const returnTo = `${client.baseUrl}/logout/callback?state=mine`
    const legacy = new URLSearchParams({ client_id: client.clientId, returnTo })
    const { url } = await tab.open(`${provider.issuer}v2/logout?${legacy}`, { stopBefore: isOfApp })
    expect(url.href).toBe(returnTo)
  })

  it('refuses a return address that is not registered', async () => {
    await start()
    const tab = newTab()
    const { id_token } = await signIn(provider, { audience }, tab)
    const { answer } = await tab.open(endSession(id_token, 'https://elsewhere.example/'))
    expect(answer.status).toBe(400)
  })

  it('sends a logout token with sub and the sid of the login through the back channel', async () => {
    const received: string[] = []
    server = createServer((request, response) => {
      request.on('data', (chunk: Buffer) => received.push(`${chunk}`))
      request.on('end', () => response.end())
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await start({ clients: [{ ...client, backchannelLogoutUrl: `http://127.0.0.1:${port}/out` }] })
    const tab = newTab()
    const { id_token } = await signIn(provider, { audience }, tab)
    await tab.open(endSession(id_token, `${client.baseUrl}/logout/callback`), { stopBefore: isOfApp })
    const logoutToken = new URLSearchParams(received.join('')).get('logout_token') ?? ''
    const { sub, sid } = claimsOf(id_token)
    expect(claimsOf(logoutToken)).toMatchObject({ sub, sid, aud: client.clientId })
  })

  it('is not announced by discovery in a tenant where that is off', async () => {
    await start({ endSessionDiscovery: false })
    const response = await fetch(`${provider.issuer}.well-known/openid-configuration`)
    expect(await response.json()).not.toHaveProperty('end_session_endpoint')
  })
})

it('remembers its requests, and keeps no code or token in that memory', async () => {
  await start()
  const { refresh_token } = await signIn(provider, { audience })
  expect(provider.requests).toContainEqual(
    expect.objectContaining({ path: '/oauth/token', status: 200, grantType: 'authorization_code' }),
  )
  expect(JSON.stringify(provider.requests)).not.toContain(refresh_token)
})
