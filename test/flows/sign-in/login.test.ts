import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Navigation } from '../../support/browser/browser-client.ts'
import { expectPage } from '../../support/expect-problem.ts'
import { alice, apiAudience, providerPaths } from '../../support/provider/oidc-provider.ts'
import { placements } from '../../support/worlds/placement.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'

const isCallback = (url: URL): boolean => url.pathname.endsWith('/callback')

describe.each(placements)('a login, %s', (placement) => {
  let world: World

  beforeAll(async () => {
    world = await startWorld({ placement })
  })
  afterAll(() => world.stop())

  async function untilCallback(browser = world.browser(), path = `/login?returnTo=${world.at('/welcome')}`) {
    const tab = browser.tab()
    const { pending, url } = await tab.open(path, { stopBefore: isCallback })
    if (pending === undefined) throw new Error('the login never came to the callback')
    return { browser, tab, url, pending: pending as Navigation }
  }

  test('in several tabs at once ends in each tab where it was meant to', async () => {
    const browser = world.browser()
    const started = []
    for (const name of ['one', 'two', 'three']) {
      started.push(await untilCallback(browser, `/login?returnTo=${world.at(`/${name}`)}`))
    }
    const landings = await Promise.all(started.map(({ tab, pending }) => tab.resume(pending)))
    expect(landings.map(({ url }) => url.pathname)).toEqual(['/one', '/two', '/three'].map(world.at))
    expect((await browser.tab().fetch('/api/orders')).status).toBe(200)
    expect(browser.cookies.list(world.baseUrl).filter(({ key }) => key.includes('-login-'))).toEqual([])
  })

  test('is completed only once: its callback replayed changes nothing', async () => {
    const { browser, tab, url, pending } = await untilCallback()
    await tab.resume(pending)
    const cookie = world.sessionCookie(browser)
    const grants = world.provider.grants('authorization_code')
    const replay = await browser.tab().open(url.href)
    expectPage(replay.answer, 400, 'login_state_invalid')
    expect(world.sessionCookie(browser)).toBe(cookie)
    expect((await tab.fetch('/api/orders')).status).toBe(200)
    expect(world.provider.grants('authorization_code')).toBe(grants)
  })

  test('is completed only once, even with its transaction cookie put back', async () => {
    const { browser, tab, url, pending } = await untilCallback()
    const transaction = browser.cookies.list(world.baseUrl).find(({ key }) => key.includes('-login-'))
    await tab.resume(pending)
    const grants = world.provider.grants('authorization_code')
    const thief = world.browser()
    thief.cookies.plant(world.baseUrl, `${transaction?.key}=${transaction?.value}; Path=/; Secure; HttpOnly`)
    expectPage((await thief.tab().open(url.href)).answer, 400, 'login_state_invalid')
    expect(world.provider.grants('authorization_code')).toBe(grants)
  })

  test('of another browser is not completed, and its code is not redeemed', async () => {
    const attacker = await untilCallback()
    const victim = world.browser()
    const grants = world.provider.grants('authorization_code')
    expectPage((await victim.tab().open(attacker.url.href)).answer, 400, 'login_state_invalid')
    expect(world.sessionCookie(victim)).toBeUndefined()
    expect(world.provider.grants('authorization_code')).toBe(grants)
  })

  test('with a forged state is not completed', async () => {
    const { tab, url } = await untilCallback()
    url.searchParams.set('state', `${url.searchParams.get('state')?.slice(0, -1)}~`)
    expectPage((await tab.open(url.href)).answer, 400, 'login_state_invalid')
  })

  test('with a repeated parameter is refused', async () => {
    const { tab, url } = await untilCallback()
    const { answer } = await tab.open(`${url.href}&code=another-one`)
    expect(answer.status).toBe(400)
  })

  test('that the user does not complete says so, and keeps an older session', async () => {
    const browser = world.browser()
    const before = await world.signIn(browser)
    const { tab, url } = await untilCallback(browser)
    url.searchParams.delete('code')
    url.searchParams.set('error', 'access_denied')
    url.searchParams.set('error_description', '<script>alert(1)</script>')
    const { answer } = await tab.open(url.href)
    expectPage(answer, 403, 'login_denied')
    expect(answer.text()).not.toContain('<script>')
    expect((await before.fetch('/api/orders')).status).toBe(200)
  })

  test('over an older session ends that session and takes a new id', async () => {
    const browser = world.browser()
    await world.signIn(browser)
    const old = world.sessionCookie(browser)
    await world.signIn(browser)
    expect(world.sessionCookie(browser)).not.toBe(old)
    // A store that is too slow would leave the old one to its idle timeout, and say so.
    expect(world.gateways[0]?.output()).not.toContain('was left to its idle timeout')
    const other = world.browser()
    other.cookies.plant(world.baseUrl, `${world.sessionCookieName}=${old}; Path=/; Secure; HttpOnly`)
    expect((await other.tab().fetch('/api/orders')).status).toBe(401)
  })

  test('never adopts a session id that was planted before it', async () => {
    const browser = world.browser()
    const planted = 'A'.repeat(43)
    browser.cookies.plant(world.baseUrl, `${world.sessionCookieName}=${planted}; Path=/; Secure; HttpOnly`)
    await world.signIn(browser)
    expect(world.sessionCookie(browser)).not.toBe(planted)
  })

  test('of one user after another in one browser never mixes them', async () => {
    const browser = world.browser()
    await world.signIn(browser, 'bob@example.test')
    await browser.tab().submit('/logout', {})
    const tab = await world.signIn(browser, alice.email)
    expect((await tab.fetch('/session')).json()).toMatchObject({ user: { sub: alice.id } })
    expect((await tab.fetch('/api/orders')).json()).toMatchObject({ sub: alice.id })
  })

  test.each([
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/%09/evil.example',
    '/api/orders',
    '/a/../login',
  ])('with returnTo %j is refused before anything happens', async (returnTo) => {
    const asked = world.provider.gate.count(providerPaths.authorize)
    const { answer } = await world
      .browser()
      .tab()
      .open(`/login?returnTo=${encodeURIComponent(returnTo)}`)
    expectPage(answer, 400, 'return_to_invalid')
    expect(world.provider.gate.count(providerPaths.authorize)).toBe(asked)
  })

  test('in ten browsers at once survives that the provider has just changed its keys', async () => {
    await world.signIn()
    await world.provider.replaceKeys()
    const tabs = await Promise.all(Array.from({ length: 10 }, () => world.signIn()))
    expect(tabs).toHaveLength(10)
  })
})

describe('a login whose access token the API could not use', () => {
  test.each(['jwe', 'string'] as const)('makes no session and says why (%s)', async (opaqueTokens) => {
    const world = await startWorld({
      provider: { opaqueTokens },
      settings: { AUDIENCE_PARAMETER: 'none' },
    })
    try {
      const browser = world.browser()
      const { answer } = await browser.tab().open('/login')
      expectPage(answer, 502, 'access_token_unusable')
      expect(answer.text()).toContain(apiAudience)
      expect(answer.text()).toMatch(opaqueTokens === 'jwe' ? /encrypted/i : /opaque/i)
      expect(world.sessionCookie(browser)).toBeUndefined()
      expect(await world.sessionKeys()).toEqual([])
      expect(world.gateways[0]?.output()).toContain('access_token_unusable')
    } finally {
      await world.stop()
    }
  })

  test('because the provider does not know the audience says so on the page, and which one in the log', async () => {
    const unknown = 'https://unregistered.example.test'
    const world = await startWorld({ settings: { API_AUDIENCE: unknown } })
    try {
      const { answer } = await world.browser().tab().open('/login')
      expectPage(answer, 403, 'login_denied')
      // The page says what to do; the provider's own words are for the operator.
      expect(answer.text()).toContain('API_AUDIENCE')
      expect(answer.text()).not.toContain(unknown)
      expect(world.gateways[0]?.output()).toContain(
        `"providerErrorDescription":"Service not found: ${unknown}"`,
      )
    } finally {
      await world.stop()
    }
  })
})
