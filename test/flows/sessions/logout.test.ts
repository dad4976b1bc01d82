import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Browser } from '../../support/browser/browser-client.ts'
import { eventually } from '../../support/eventually.ts'
import { expectProblem } from '../../support/expect-problem.ts'
import { bob, claimsOf, providerPaths, testClient } from '../../support/provider/oidc-provider.ts'
import { placements } from '../../support/worlds/placement.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'

let world: World

/** A second browser double that holds the session of the first and reaches the other gateway. */
function onOtherGateway(browser: Browser): Browser {
  return world.sameSession(browser, { via: 1 })
}

/** The user signs out at the provider, in the same browser, without asking the gateway. */
async function signOutAtProvider(browser: Browser): Promise<void> {
  const { answer } = await browser
    .tab()
    .open(`${world.provider.issuer}oidc/logout?client_id=${testClient.id}`)
  expect(answer.status).toBe(200)
}

/** Refused everywhere within a second: Redis tells the other gateway, which takes a moment. */
async function expectEnded(browser: Browser): Promise<void> {
  await eventually(async () => expect((await browser.tab().fetch('/api/orders')).status).toBe(401), 1_000)
}

describe.each(placements)('%s', (placement) => {
  beforeAll(async () => {
    world = await startWorld({ gateways: 2, placement })
  })
  afterAll(() => world.stop())

  describe('signing out', () => {
    test('as a fetch answers where to go next, and ends the session at once', async () => {
      const browser = world.browser()
      const tab = await world.signIn(browser)
      const answer = await tab.fetch(`/logout?returnTo=${world.at('/goodbye')}`, {
        method: 'POST',
        headers: { accept: 'application/json' },
      })
      expect(answer.status).toBe(200)
      expect(answer.headers['clear-site-data']).toBe('"cache"')
      const { redirectTo } = answer.json<{ redirectTo: string }>()
      expect(new URL(redirectTo).pathname).toBe(providerPaths.logout)
      expect(world.sessionCookie(browser)).toBeUndefined()
      expect((await tab.follow(redirectTo)).url.pathname).toBe(world.at('/goodbye'))
    })

    test('on one gateway ends the session on the other, whose cache knew it', async () => {
      const browser = world.browser()
      const tab = await world.signIn(browser)
      const other = onOtherGateway(browser)
      expect((await other.tab().fetch('/api/orders')).status).toBe(200)
      await tab.submit('/logout', {})
      await expectEnded(other)
    })

    test('closes an event stream on the other gateway within a second', async () => {
      const browser = world.browser()
      const tab = await world.signIn(browser)
      const stream = await onOtherGateway(browser).tab().stream('/api/events')
      expect(stream.statusCode).toBe(200)
      await once(stream, 'data')
      const closed = new Promise((resolve) => stream.once('close', resolve))
      stream.on('error', () => undefined).resume()
      const beganMs = performance.now()
      await tab.submit('/logout', {})
      await closed
      expect(performance.now() - beganMs).toBeLessThan(1_500)
      await eventually(() => expect(world.api.openStreams()).toBe(0))
    })

    test('by a link of the application works', async () => {
      const browser = world.browser()
      const tab = await world.signIn(browser)
      const { url } = await tab.follow(`/logout?returnTo=${world.at('/goodbye')}`)
      expect(url.pathname).toBe(world.at('/goodbye'))
      expect(world.sessionCookie(browser)).toBeUndefined()
    })

    test('by a link of another site only asks, and the question can be answered', async () => {
      const browser = world.browser()
      await world.signIn(browser)
      const tab = browser.tab()
      await tab.open(`${world.provider.issuer}nothing-here`)
      const { answer } = await tab.follow(`${world.baseUrl.origin}${world.at('/logout')}`)
      expect(answer.status).toBe(200)
      expect(answer.text()).toMatch(/<form[^>]*method="?post/i)
      expect(world.sessionCookie(browser)).toBeDefined()
      expect((await browser.tab().fetch('/api/orders')).status).toBe(200)
      await tab.submit('/logout', hiddenFields(answer.text()))
      expect(world.sessionCookie(browser)).toBeUndefined()
    })

    test('by a form of another site is refused', async () => {
      const browser = world.browser()
      await world.signIn(browser)
      const tab = browser.tab()
      await tab.open(`${world.provider.issuer}nothing-here`)
      const { answer } = await tab.submit(`${world.baseUrl.origin}${world.at('/logout')}`, {})
      expect(answer.status).toBe(403)
      expect((await browser.tab().fetch('/api/orders')).status).toBe(200)
    })

    test('works while the provider is down', async () => {
      const browser = world.browser()
      const tab = await world.signIn(browser)
      await world.provider.gate.down()
      try {
        const beganMs = performance.now()
        const answer = await tab.fetch('/logout', { method: 'POST', headers: { accept: 'application/json' } })
        expect(answer.status).toBe(200)
        expect(performance.now() - beganMs).toBeLessThan(3_000)
        expect(world.sessionCookie(browser)).toBeUndefined()
      } finally {
        await world.provider.gate.up()
      }
    })

    test('twice is no fault', async () => {
      const tab = await world.signIn()
      await tab.submit('/logout', {})
      const { answer } = await tab.submit(`/logout?returnTo=${world.at('/goodbye')}`, {})
      expect(answer.status).toBeLessThan(400)
    })

    test('comes back to the application whatever state says', async () => {
      const { answer, hops } = await world.browser().tab().open('/logout/callback?state=never-seen')
      expect(hops[0]?.status).toBe(303)
      expect(answer.url.pathname).toBe(world.at('/'))
    })
  })

  describe('signing out at the provider', () => {
    test('ends the session on every gateway, through the back channel', async () => {
      const browser = world.browser()
      const tab = await world.signIn(browser)
      const other = onOtherGateway(browser)
      expect((await other.tab().fetch('/api/orders')).status).toBe(200)
      await signOutAtProvider(browser)
      expect((await tab.fetch('/api/orders')).status).toBe(401)
      await expectEnded(other)
    })

    test('leaves the sessions of other browsers and other users alone', async () => {
      const [first, second, third] = [world.browser(), world.browser(), world.browser()]
      await world.signIn(first)
      await world.signIn(second)
      await world.signIn(third, bob.email)
      await signOutAtProvider(first)
      await expectEnded(first)
      expect((await second.tab().fetch('/api/orders')).status).toBe(200)
      expect((await third.tab().fetch('/api/orders')).status).toBe(200)
    })

    test('still finds a session whose refreshed ID token has no sid', async () => {
      const [browser] = await world.signInExpired(1)
      if (browser === undefined) throw new Error('no browser')
      expect((await browser.tab().fetch('/api/orders')).status).toBe(200)
      expect(claimsOf(world.provider.lastTokens().idToken)).not.toHaveProperty('sid')
      await signOutAtProvider(browser)
      await expectEnded(browser)
    })

    test('does not end the session of a later login in the same browser', async () => {
      const browser = world.browser()
      await world.signIn(browser)
      await signOutAtProvider(browser)
      const tab = await world.signIn(browser)
      expect((await tab.fetch('/api/orders')).status).toBe(200)
    })

    test('works through the front channel too, by issuer and sid, without a cookie', async () => {
      const browser = world.browser()
      await world.signIn(browser)
      const { sid } = claimsOf(world.provider.lastTokens().idToken)
      const frame = world.browser({ via: 1 }).tab()
      const query = (iss: string): string =>
        `iss=${encodeURIComponent(iss)}&sid=${encodeURIComponent(`${sid}`)}`
      await frame.open(`/frontchannel-logout?${query('https://another.example/')}`)
      expect((await browser.tab().fetch('/api/orders')).status).toBe(200)
      expect((await frame.open(`/frontchannel-logout?${query(world.provider.issuer)}`)).answer.status).toBe(
        200,
      )
      await expectEnded(browser)
    })

    test('is not believed without a valid logout token', async () => {
      const browser = world.browser()
      await world.signIn(browser)
      const { idToken } = world.provider.lastTokens()
      for (const token of [idToken, 'e30.e30.', 'nonsense', '']) {
        const answer = await fetch(world.backchannelLogoutUrl, {
          method: 'POST',
          body: new URLSearchParams({ logout_token: token }),
        })
        expect(answer.status).toBe(400)
        expect(await answer.json()).toMatchObject({ error: expect.any(String) })
      }
      expect((await browser.tab().fetch('/api/orders')).status).toBe(200)
    })
  })

  describe("a user's own sessions", () => {
    interface Listed {
      readonly id: string
      readonly current: boolean
    }

    test('can be seen and ended from another browser, and their ids are not session ids', async () => {
      const email = bob.email
      const [here, there] = [world.browser(), world.browser({ via: 1 })]
      const tab = await world.signIn(here, email)
      await world.signIn(there, email)
      const listed = (await tab.fetch('/sessions')).json<{ sessions: Listed[] } | Listed[]>()
      const sessions = Array.isArray(listed) ? listed : listed.sessions
      expect(sessions.filter(({ current }) => current)).toHaveLength(1)
      for (const { id } of sessions) {
        const thief = world.browser()
        thief.cookies.plant(world.baseUrl, `${world.sessionCookieName}=${id}; Path=/; Secure; HttpOnly`)
        expect((await thief.tab().fetch('/api/orders')).status).toBe(401)
      }
      const others = sessions.filter(({ current }) => !current)
      for (const { id } of others) {
        expect((await tab.fetch(`/sessions/${id}`, { method: 'DELETE' })).status).toBeLessThan(300)
      }
      await expectEnded(there)
      expect((await tab.fetch('/api/orders')).status).toBe(200)
    })

    test('of somebody else can neither be seen nor ended', async () => {
      const [forAlice, forBob] = [await world.signIn(), await world.signIn(world.browser(), bob.email)]
      const listed = (await forAlice.fetch('/sessions')).json<{ sessions: Listed[] } | Listed[]>()
      const sessions = Array.isArray(listed) ? listed : listed.sessions
      const answer = await forBob.fetch(`/sessions/${sessions[0]?.id}`, { method: 'DELETE' })
      expect(answer.status).toBe(404)
      expect((await forAlice.fetch('/api/orders')).status).toBe(200)
    })

    test('end all together, this one included', async () => {
      const [here, there] = [world.browser(), world.browser({ via: 1 })]
      const tab = await world.signIn(here, bob.email)
      await world.signIn(there, bob.email)
      expect((await tab.fetch('/sessions', { method: 'DELETE' })).status).toBeLessThan(300)
      expect(world.sessionCookie(here)).toBeUndefined()
      await expectEnded(there)
    })
  })

  describe('a request that another site could make', () => {
    test.each([
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: '' },
    ])('is refused, whatever its cookie: %j', async (headers) => {
      const tab = await world.signIn()
      expectProblem(await tab.fetch('/api/orders', { headers }), 403, 'csrf_rejected')
      expectProblem(await tab.fetch('/session/refresh', { method: 'POST', headers }), 403, 'csrf_rejected')
    })
  })
})

function hiddenFields(page: string): Record<string, string> {
  const fields = page.matchAll(/<input[^>]*type="hidden"[^>]*>/g)
  return Object.fromEntries(
    [...fields].map(([input]) => [
      /name="([^"]*)"/.exec(input)?.[1] ?? '',
      /value="([^"]*)"/.exec(input)?.[1] ?? '',
    ]),
  )
}
