import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectProblem } from '../support/expect-problem.ts'
import { alice, apiAudience, bob, claimsOf, providerPaths } from '../support/provider/oidc-provider.ts'
import { startWorld, type World } from '../support/worlds/world.ts'

describe.each([
  ['https', 'alone'],
  ['http', 'alone'],
  ['https', 'the second of three frontends, beneath a path'],
] as const)('the main job, BASE_URL with %s, %s', (scheme, placement) => {
  let world: World

  beforeAll(async () => {
    world = await startWorld({ scheme, placement })
  })
  afterAll(() => world.stop())

  test('the authorization request carries the audience, PKCE, state and nonce', async () => {
    const { hops } = await world
      .browser()
      .tab()
      .open(`/login?returnTo=${world.at('/welcome')}`)
    const request = new URL(hops[0]?.headers.location ?? '')
    expect(hops[0]?.status).toBe(303)
    expect(request.pathname).toBe(providerPaths.authorize)
    expect(Object.fromEntries(request.searchParams)).toMatchObject({
      response_type: 'code',
      audience: apiAudience,
      redirect_uri: `${world.baseUrl.origin}${world.at('/callback')}`,
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{22,}$/),
      nonce: expect.stringMatching(/^[\w-]{22,}$/),
    })
  })

  test('a browser signs in, and its calls reach the API with a token that the API verifies', async () => {
    const browser = world.browser()
    const tab = await world.signIn(browser)
    const answer = await tab.fetch('/api/orders?x=1')
    expect(answer.status).toBe(200)
    expect(answer.json()).toMatchObject({
      sub: alice.id,
      target: '/orders?x=1',
      aud: expect.arrayContaining([apiAudience]),
    })
    expect(browser.cookies.refused).toEqual([])
  })

  test('the session cookie is HttpOnly, Strict, host-only, and Secure where there is TLS', async () => {
    const browser = world.browser()
    await world.signIn(browser)
    const cookie = browser.cookies.list(world.baseUrl).find(({ key }) => key === world.sessionCookieName)
    expect(cookie).toMatchObject({
      httpOnly: true,
      sameSite: 'strict',
      hostOnly: true,
      path: '/',
      secure: scheme === 'https',
      maxAge: null,
      expires: 'Infinity',
    })
    expect(cookie?.value).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })

  test('nothing of the login stays behind in the browser but the session cookie', async () => {
    const browser = world.browser()
    await world.signIn(browser)
    const ours = browser.cookies.list(world.baseUrl).filter(({ key }) => key.includes('coatcheck'))
    expect(ours.map(({ key }) => key)).toEqual([world.sessionCookieName])
  })

  test('the API sees one authorization header and no cookie of the gateway', async () => {
    const tab = await world.signIn()
    await tab.fetch('/api/seen', {
      headers: { authorization: 'Bearer of-the-client', 'x-forwarded-user': 'root' },
    })
    const request = world.api.requests.findLast(({ target }) => target === '/seen')
    expect(request?.headers.authorization).toMatch(/^Bearer eyJ/)
    expect(request?.headers.cookie).toBeUndefined()
    expect(request?.headers['x-forwarded-user']).toBeUndefined()
  })

  test('the API decides about permissions, and its 403 reaches the page', async () => {
    const [forAlice, forBob] = [await world.signIn(), await world.signIn(world.browser(), bob.email)]
    expect((await forAlice.fetch('/api/admin')).status).toBe(200)
    const refused = await forBob.fetch('/api/admin')
    expect(refused.status).toBe(403)
    expect(refused.json()).toEqual({ error: 'insufficient_permission' })
  })

  test('a body reaches the API byte for byte', async () => {
    const tab = await world.signIn()
    const body = JSON.stringify({ text: 'ünïcode ✓', lines: 'a\r\nb' })
    const answer = await tab.fetch('/api/orders', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    })
    expect(answer.json()).toMatchObject({ method: 'POST', body })
  })

  test('/session says who is signed in and for how long, and no more', async () => {
    const tab = await world.signIn()
    const answer = await tab.fetch('/session')
    expect(answer.headers['cache-control']).toContain('no-store')
    expect(answer.json()).toEqual({
      authenticated: true,
      user: { sub: alice.id, name: alice.name, email: alice.email },
      expiresIn: expect.closeTo(36_000, -2),
      idleExpiresIn: expect.closeTo(1_800, -2),
      loginUrl: world.at('/login'),
      logoutUrl: world.at('/logout'),
    })
  })

  test('a browser without a session is told so, and where to sign in', async () => {
    const tab = world.browser().tab()
    expect((await tab.fetch('/session')).json()).toEqual({
      authenticated: false,
      loginUrl: world.at('/login'),
    })
    const refused = await tab.fetch('/api/orders')
    expectProblem(refused, 401, 'session_missing')
    expect(refused.json()).toMatchObject({ loginUrl: world.at('/login') })
    expect(refused.headers['www-authenticate']).toBeDefined()
  })

  test('an expired access token is refreshed before the call, once, and the refresh token rotates', async () => {
    const [browser] = await world.signInExpired(1)
    if (browser === undefined) throw new Error('no browser')
    const tab = browser.tab()
    const before = world.provider.lastTokens()
    const grants = world.provider.grants('refresh_token')
    expect((await tab.fetch('/api/orders')).status).toBe(200)
    expect((await tab.fetch('/api/orders')).status).toBe(200)
    expect(world.provider.grants('refresh_token')).toBe(grants + 1)
    const after = world.provider.lastTokens()
    expect(after.refreshToken).not.toBe(before.refreshToken)
    expect(claimsOf(after.accessToken).aud).toContain(apiAudience)
  })

  test('signing out ends the session here and at the provider, and comes back to the application', async () => {
    const browser = world.browser()
    const tab = await world.signIn(browser)
    const { refreshToken } = world.provider.lastTokens()
    const cookie = world.sessionCookie(browser)
    const landing = await tab.submit(`/logout?returnTo=${world.at('/goodbye')}`, {})
    expect(landing.url.href).toBe(`${world.baseUrl.origin}${world.at('/goodbye')}`)
    const endSession = landing.hops.find(({ url }) => url.pathname === providerPaths.logout)
    expect(Object.keys(Object.fromEntries(endSession?.url.searchParams ?? []))).toEqual(
      expect.arrayContaining(['id_token_hint', 'client_id', 'post_logout_redirect_uri', 'state']),
    )
    expect(world.sessionCookie(browser)).toBeUndefined()
    expect(await world.provider.tryRefresh(refreshToken)).toBe(403)
    const replayed = world.browser()
    replayed.cookies.plant(
      world.baseUrl,
      `${world.sessionCookieName}=${cookie}; Path=/; HttpOnly${scheme === 'https' ? '; Secure' : ''}`,
    )
    expectProblem(await replayed.tab().fetch('/api/orders'), 401, 'session_expired')
  })

  test('a cookie is cleared with the attributes that it was set with', async () => {
    const tab = await world.signIn()
    const { hops } = await tab.submit('/logout', {})
    const cleared = hops[0]?.setCookies.find((cookie) => cookie.startsWith(`${world.sessionCookieName}=;`))
    expect(cleared).toMatch(/; Path=\/(;|$)/)
    expect(cleared).toMatch(/; HttpOnly(;|$)/)
    expect(cleared).toMatch(/; SameSite=Strict(;|$)/)
    expect(/; Secure(;|$)/.test(cleared ?? '')).toBe(scheme === 'https')
  })
})
