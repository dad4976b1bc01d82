import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Browser, Tab } from '../../support/browser/browser-client.ts'
import {
  challengeOf,
  createSoftwareDevice,
  type SoftwareDevice,
} from '../../support/browser/software-device.ts'
import { eventually } from '../../support/eventually.ts'
import { expectProblem } from '../../support/expect-problem.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'

const deviceCookie = '__Host-coatcheck-device'

interface Bound {
  readonly browser: Browser
  readonly tab: Tab
  readonly device: SoftwareDevice
  readonly sessionId: string
}

let world: World
beforeAll(async () => {
  world = await startWorld({ gateways: 2, settings: { DEVICE_BINDING: 'auto', RATE_LIMIT: 'off' } })
})
afterAll(() => world.stop())

async function offered(): Promise<{ readonly browser: Browser; readonly tab: Tab; readonly offer: string }> {
  const browser = world.browser({ via: 'in turn' })
  const tab = await world.signIn(browser)
  const offer = (await tab.fetch('/session')).headers['secure-session-registration']
  return { browser, tab, offer: String(offer) }
}

/** A browser whose session is bound, and whose binding both gateways enforce. */
async function bound(): Promise<Bound> {
  const { browser, tab, offer } = await offered()
  const device = createSoftwareDevice()
  const answer = await device.register(tab, offer)
  expect(answer.status).toBe(200)
  const sessionId = String(answer.json().session_identifier)
  await eventually(async () => {
    expect((await tab.fetch('/api/orders')).status).toBe(200)
    expect((await thief(browser).fetch('/api/orders')).status).toBe(401)
    expect((await thief(browser).fetch('/api/orders')).status).toBe(401)
  })
  return { browser, tab, device, sessionId }
}

/** Somebody who has the session cookie of this browser and nothing else. */
function thief(browser: Browser): Tab {
  return world.sameSession(browser, { via: 'in turn' }).tab()
}

describe('the offer', () => {
  test('comes with GET /session while the session is unbound, with no other answer', async () => {
    const { tab, offer } = await offered()
    expect(offer).toMatch(/^\(ES256\);path="\/device";challenge="[\w.-]+"$/)
    expect((await tab.fetch('/session')).json().device).toBe('unbound')
    for (const path of ['/api/orders', '/sessions', '/']) {
      expect((await tab.fetch(path)).headers['secure-session-registration']).toBeUndefined()
    }
  })

  test('ends with the binding', async () => {
    const { tab } = await bound()
    const answer = await tab.fetch('/session')
    expect(answer.headers['secure-session-registration']).toBeUndefined()
    expect(answer.json().device).toBe('bound')
    expect(JSON.stringify((await tab.fetch('/sessions')).json())).toContain('"device":"bound"')
  })
})

describe('the registration', () => {
  test('sets the bound cookie and tells the browser what it is for', async () => {
    const { tab, offer } = await offered()
    const answer = await createSoftwareDevice().register(tab, offer)
    expect(answer.setCookies).toEqual([
      expect.stringMatching(
        /^__Host-coatcheck-device=\d{10}\.[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Strict; Max-Age=600$/,
      ),
    ])
    expect(answer.json()).toMatchObject({
      session_identifier: expect.stringMatching(/^[\w-]{43}$/),
      refresh_url: '/device/refresh',
      scope: {
        scope_specification: [
          { type: 'exclude', domain: '*', path: '/' },
          { type: 'include', domain: '*', path: '/api' },
          { type: 'include', domain: '*', path: '/session' },
          { type: 'include', domain: '*', path: '/sessions' },
        ],
      },
      credentials: [{ type: 'cookie', name: deviceCookie }],
    })
  })

  test.each([
    ['another type', { typ: 'JWT' }],
    ['another algorithm', { alg: 'none' }],
    ['no key', { jwk: {} }],
    ['a private key', { jwk: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd' } }],
    ['a challenge that is not ours', { challenge: 'made-up' }],
    ['a foreign origin', { headers: { origin: 'https://evil.example' } }],
  ])('refuses a proof with %s, and the session goes on', async (_what, changes) => {
    const { tab, offer } = await offered()
    const answer = await createSoftwareDevice().register(tab, offer, changes)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.setCookies).toEqual([])
    expect((await tab.fetch('/api/orders')).status).toBe(200)
  })

  test('refuses the challenge of another session', async () => {
    const [one, other] = [await offered(), await offered()]
    const challenge = challengeOf(other.offer)
    expect((await createSoftwareDevice().register(one.tab, one.offer, { challenge })).status).toBe(400)
  })

  test('is made once: a second device does not take the place of the first, and its own proof is not taken again', async () => {
    const { browser, tab, offer } = await offered()
    const device = createSoftwareDevice()
    expect((await device.register(tab, offer)).status).toBe(200)
    for (const each of [createSoftwareDevice(), device]) {
      const again = await each.register(thief(browser), offer)
      expect([again.status, again.setCookies]).toEqual([400, []])
    }
  })

  test('is made once, though it comes many times at once', async () => {
    const { browser, offer } = await offered()
    const device = createSoftwareDevice()
    const answers = await Promise.all(Array.from({ length: 6 }, () => device.register(thief(browser), offer)))
    expect(answers.filter(({ setCookies }) => setCookies.length > 0)).toHaveLength(1)
  })
})

describe('a bound session', () => {
  test('is demanded its proof from the first good one on, be it on the way to GET /session', async () => {
    const { browser, tab, offer } = await offered()
    await createSoftwareDevice().register(tab, offer)
    await tab.fetch('/session')
    await eventually(async () => {
      for (const _node of [1, 2]) expect((await thief(browser).fetch('/api/orders')).status).toBe(401)
    })
    expect((await tab.fetch('/api/orders')).status).toBe(200)
  })

  test('is worth nothing without its device: API, list, refresh; and nothing is ended by trying', async () => {
    const { browser, tab } = await bound()
    const stolen = thief(browser)
    expectProblem(await stolen.fetch('/api/orders'), 401, 'device_proof_missing')
    expectProblem(await stolen.fetch('/sessions'), 401, 'device_proof_missing')
    expectProblem(await stolen.fetch('/sessions', { method: 'DELETE' }), 401, 'device_proof_missing')
    expectProblem(await stolen.fetch('/session/refresh', { method: 'POST' }), 401, 'device_proof_missing')
    expect((await tab.fetch('/api/orders')).status).toBe(200)
  })

  test('refuses the bound cookie of another session', async () => {
    const [one, other] = [await bound(), await bound()]
    const stolen = thief(one.browser)
    const value = other.browser.cookies.get(world.baseUrl, deviceCookie)
    const answer = await stolen.fetch('/api/orders', {
      headers: {
        cookie: `${world.sessionCookieName}=${world.sessionCookie(one.browser)}; ${deviceCookie}=${value}`,
      },
    })
    expectProblem(answer, 401, 'device_proof_missing')
  })

  test('answers 503 when the browser says that it could not renew its proof', async () => {
    const { browser } = await bound()
    const headers = { 'secure-session-skipped': 'quota_exceeded;session_identifier="x"' }
    const answer = await thief(browser).fetch('/api/orders', { headers })
    expect(answer.status).toBe(503)
    expect(answer.headers['retry-after']).toBeDefined()
  })

  test('never passes the bound cookie on to the API', async () => {
    const { tab } = await bound()
    await tab.fetch('/api/orders')
    expect(JSON.stringify(world.api.requests.at(-1)?.headers)).not.toContain(deviceCookie)
  })

  test('is left by a logout with the long cookie alone, which takes the bound one along', async () => {
    const { tab, browser } = await bound()
    const answer = await tab.fetch('/logout', { method: 'POST', headers: { accept: 'application/json' } })
    expect(answer.status).toBe(200)
    expect(answer.setCookies).toContainEqual(expect.stringMatching(/^__Host-coatcheck-device=; .*Max-Age=0/))
    expect(browser.cookies.get(world.baseUrl, deviceCookie)).toBeUndefined()
  })
})

describe('the renewal', () => {
  test('asks with 403 and a challenge, and answers a proof with a new value', async () => {
    const { tab, device, sessionId } = await bound()
    const asked = await tab.fetch('/device/refresh', {
      method: 'POST',
      headers: { 'sec-secure-session-id': sessionId },
    })
    expect(asked.status).toBe(403)
    expect(asked.headers['secure-session-challenge']).toMatch(new RegExp(`^"[\\w.-]+";id="${sessionId}"$`))
    expect((await device.renew(tab, sessionId)).status).toBe(200)
    expect((await tab.fetch('/api/orders')).status).toBe(200)
  })

  test('takes a challenge once, on whichever node', async () => {
    const { tab, device, sessionId } = await bound()
    const headers = { 'sec-secure-session-id': sessionId }
    const asked = await tab.fetch('/device/refresh', { method: 'POST', headers })
    const challenge = challengeOf(String(asked.headers['secure-session-challenge']))
    const signed = { ...headers, 'secure-session-response': device.proof(challenge) }
    const answers = []
    for (let n = 0; n < 4; n++)
      answers.push(await tab.fetch('/device/refresh', { method: 'POST', headers: signed }))
    expect(answers.map(({ status }) => status)).toEqual([200, 403, 403, 403])
  })

  test('refuses the key of another device, and asks again', async () => {
    const { tab, sessionId } = await bound()
    const answer = await createSoftwareDevice().renew(tab, sessionId)
    expect(answer.status).toBe(403)
    expect(answer.headers['secure-session-challenge']).toBeDefined()
    expect(answer.setCookies).toEqual([])
  })

  test('knows no other id than that of its session', async () => {
    const [one, other] = [await bound(), await bound()]
    expect((await one.device.renew(one.tab, other.sessionId)).status).toBe(404)
    expect((await one.device.renew(one.tab, 'made-up')).status).toBe(404)
  })

  test('goes on over a rotation of SESSION_SECRET, under the id that the browser knows: it gives up a binding whose id changes', async () => {
    const { tab, device, sessionId } = await bound()
    const secrets =
      'another-session-secret-of-the-tests-0123456789,first-session-secret-of-the-tests-0123456789'
    for (const index of [0, 1]) await (await world.replaceGateway(index, { SESSION_SECRET: secrets })).ready()
    expect((await tab.fetch('/api/orders')).status).toBe(200)
    const headers = { 'sec-secure-session-id': sessionId }
    const asked = await tab.fetch('/device/refresh', { method: 'POST', headers })
    expect(asked.headers['secure-session-challenge']).toContain(`;id="${sessionId}"`)
    const renewed = await device.renew(tab, sessionId)
    expect([renewed.status, renewed.json().session_identifier]).toEqual([200, sessionId])
    expect((await tab.fetch('/api/orders')).status).toBe(200)
  })
})
