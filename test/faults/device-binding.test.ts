import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSoftwareDevice, type Sender } from '../support/browser/software-device.ts'
import { eventually } from '../support/eventually.ts'
import { expectProblem } from '../support/expect-problem.ts'
import { type FaultWorld, startFaultWorld } from '../support/worlds/fault-world.ts'

let world: FaultWorld
const start = async (settings: Readonly<Record<string, string>>): Promise<FaultWorld> =>
  startFaultWorld({ DEVICE_BINDING: 'auto', REDIS_COMMAND_TIMEOUT: '500', ...settings })

interface TestBrowser extends Sender {
  readonly longCookie: string
}

/** A browser that keeps the cookies it was given; one that begins with the session cookie of another is a thief's. */
async function openBrowser(stolen?: string): Promise<TestBrowser> {
  const longCookie = stolen ?? (await world.signIn())
  const cookies = new Map([longCookie.split('=') as [string, string]])
  return {
    longCookie,
    async fetch(path, { method, headers }) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const answer = await world.request(method, path, { cookie, 'x-csrf': '1', ...headers })
      for (const set of answer.setCookies) {
        const [name = '', value = ''] = set.split(';')[0]?.split('=') ?? []
        cookies.set(name, value)
      }
      return answer
    },
  }
}

const get = (browser: Sender, path: string) => browser.fetch(path, { method: 'GET', headers: {} })
const sessionOf = async (browser: Sender) => (await get(browser, '/session')).json()
const offerOf = async (browser: Sender): Promise<string> =>
  String((await get(browser, '/session')).headers['secure-session-registration'])

/** How the list of the user's sessions shows this one. */
async function listed(browser: Sender): Promise<unknown> {
  const { sessions } = (await get(browser, '/sessions')).json()
  return (sessions as { current: boolean; device: unknown }[]).find(({ current }) => current)?.device
}

async function bind(browser: Sender) {
  const device = createSoftwareDevice()
  const answer = await device.register(browser, await offerOf(browser))
  expect(answer.status).toBe(200)
  return { device, sessionId: String(answer.json().session_identifier) }
}

const faults: readonly (readonly [string, () => Promise<unknown>, () => Promise<unknown>])[] = [
  ['does not answer', async () => world.redis.freeze(), async () => world.redis.thaw()],
  ['is gone', () => world.redis.kill(), () => world.redis.restart()],
  [
    'is full',
    () => world.redis.client().config('SET', 'maxmemory', '1'),
    () => world.redis.client().config('SET', 'maxmemory', '0'),
  ],
]

describe('a fault of ours at the device endpoints', () => {
  beforeAll(async () => {
    world = await start({ RATE_LIMIT: 'off' })
  })
  afterAll(() => world?.stop())

  it.each(faults)(
    'while the store %s is 503, and neither session nor binding is lost',
    async (what, begin, end) => {
      const [unbound, browser] = [await openBrowser(), await openBrowser()]
      const offer = await offerOf(unbound)
      const { device, sessionId } = await bind(browser)
      await begin()
      try {
        const answers = [
          await createSoftwareDevice().register(unbound, offer),
          await device.renew(browser, sessionId),
        ]
        expect(answers.map(({ status }) => status)).toEqual([503, 503])
        expect(answers.flatMap(({ setCookies }) => setCookies)).toEqual([])
      } finally {
        await end()
        await eventually(world.signIn, 10_000)
      }
      // What was not written to disk is lost with a killed store, sessions too.
      if (what === 'is gone') return
      await eventually(async () => {
        expect(await sessionOf(unbound)).toMatchObject({ authenticated: true, device: 'unbound' })
        expect((await device.renew(browser, sessionId)).status).toBe(200)
      }, 5_000)
      expect(await sessionOf(browser)).toMatchObject({ authenticated: true, device: 'bound' })
    },
  )

  it('before anything is bound binds nothing: the session is offered it again', async () => {
    const browser = await openBrowser()
    const offer = await offerOf(browser)
    await world.redis.client().call('ACL', 'SETUSER', 'default', 'resetkeys', '~coatcheck:[^d]*')
    try {
      expect((await createSoftwareDevice().register(browser, offer)).status).toBe(503)
    } finally {
      await world.redis.client().call('ACL', 'SETUSER', 'default', 'allkeys')
    }
    await eventually(async () => {
      expect(await sessionOf(browser)).toMatchObject({ authenticated: true, device: 'unbound' })
    })
    await bind(browser)
  })

  it('of a lost answer to the registration is made good by the next one, and by none once the cookie was seen', async () => {
    const browser = await openBrowser()
    const offer = await offerOf(browser)
    const lost = createSoftwareDevice()
    expect((await lost.register(await openBrowser(browser.longCookie), offer)).status).toBe(200)
    // It is still on its way to a slow browser.
    expect(await offerOf(browser)).toBe('undefined')
    expect(await listed(browser)).toBe('unbound')
    world.advance(11_000)
    expect(await sessionOf(browser)).toMatchObject({ authenticated: true, device: 'unbound' })
    const again = await offerOf(browser)
    const device = createSoftwareDevice()
    const answer = await device.register(browser, again)
    expect(answer.status).toBe(200)
    expect((await get(browser, '/api/x')).status).not.toBe(401)
    const thief = await openBrowser(browser.longCookie)
    await eventually(async () => expectProblem(await get(thief, '/api/x'), 401, 'device_proof_missing'))
    expect(await listed(browser)).toBe('bound')
    world.advance(60_000)
    expect(await sessionOf(thief)).toMatchObject({ device: 'bound' })
    for (const offered of [offer, again])
      expect((await createSoftwareDevice().register(thief, offered)).status).toBe(400)
    expect((await lost.renew(browser, String(answer.json().session_identifier))).status).toBe(403)
    expect((await get(browser, '/api/x')).status).not.toBe(401)
  })

  it('is whatever bodies and types are sent along', async () => {
    const browser = await openBrowser()
    const { sessionId } = await bind(browser)
    const cookie = browser.longCookie
    for (const path of ['/device', '/device/refresh']) {
      for (const [type, length] of [
        ['nonsense', 1],
        ['text/plain', 2_000],
      ] as const) {
        const headers = { cookie, 'sec-secure-session-id': sessionId, 'content-type': type }
        const answer = await world.request('POST', path, headers, 'x'.repeat(length))
        expectProblem(answer, 503, 'overloaded')
      }
    }
  })

  it('of a lost answer is made good by the next renewal', async () => {
    const browser = await openBrowser()
    const { device, sessionId } = await bind(browser)
    const lossy: Sender = { fetch: (path, options) => world.request(options.method, path, options.headers) }
    expect((await device.renew(lossy, sessionId)).status).toBe(401)
    for (const _again of [1, 2]) expect((await device.renew(browser, sessionId)).status).toBe(200)
  })

  it.each([90_000, -90_000])('of a clock that is off by %d ms keeps the challenge good', async (offMs) => {
    const browser = await openBrowser()
    const offer = await offerOf(browser)
    world.advance(offMs)
    expect((await createSoftwareDevice().register(browser, offer)).status).toBe(200)
    world.advance(-offMs)
    expect((await get(browser, '/api/x')).status).not.toBe(401)
  })
})

describe('an offer that nobody takes', () => {
  beforeAll(async () => {
    world = await start({ RATE_LIMIT: 'off' })
  })
  afterAll(() => world?.stop())

  it('ends two minutes after the login', async () => {
    const browser = await openBrowser()
    world.advance(118_000)
    expect(await sessionOf(browser)).toMatchObject({ device: 'unbound' })
    world.advance(3_000)
    const late = await get(browser, '/session')
    expect(late.json()).toMatchObject({ authenticated: true, device: 'unsupported' })
    expect(late.headers['secure-session-registration']).toBeUndefined()
  })
})

describe('a limit at the device endpoints', () => {
  beforeAll(async () => {
    world = await start({ RATE_LIMIT: 'on', TRUST_PROXY: '127.0.0.1/32' })
  })
  afterAll(() => world?.stop())

  it('is 503, because a browser gives its binding up for a 429', async () => {
    const browser = await openBrowser()
    const { device, sessionId } = await bind(browser)
    const from = { 'x-forwarded-for': '203.0.113.9' }
    const stranger: Sender = {
      fetch: (path, { method, headers }) =>
        world.request(method, path, {
          ...headers,
          ...from,
          cookie: `__Host-Http-coatcheck=${'B'.repeat(43)}`,
        }),
    }
    // A thousand at once and twenty a second are let pass.
    const miss = () => world.request('GET', '/api/x', { 'x-csrf': '1', ...from })
    await eventually(async () => {
      await Promise.all(Array.from({ length: 100 }, miss))
      expectProblem(await device.renew(stranger, sessionId), 503, 'overloaded')
    }, 30_000)
    // Who has a live session is not held to account for others at its address.
    expect((await device.renew(browser, sessionId)).status).toBe(200)
  })
})

describe('DEVICE_BINDING=required', () => {
  beforeAll(async () => {
    world = await start({ DEVICE_BINDING: 'required', RATE_LIMIT: 'off' })
  })
  afterAll(() => world?.stop())

  it('lets an unbound session reach its API for a minute from the first offer on, and offers on', async () => {
    const browser = await openBrowser()
    await offerOf(browser)
    world.advance(59_000)
    expect((await get(browser, '/api/x')).status).not.toBe(401)
    world.advance(2_000)
    expectProblem(await get(browser, '/api/x'), 401, 'device_proof_missing')
    expectProblem(await get(browser, '/sessions'), 401, 'device_proof_missing')
    world.advance(600_000)
    const { device, sessionId } = await bind(browser)
    expect((await get(browser, '/api/x')).status).not.toBe(401)
    world.advance(661_000)
    expectProblem(await get(browser, '/api/x'), 401, 'device_proof_missing')
    expect((await device.renew(browser, sessionId)).status).toBe(200)
    expect((await get(browser, '/api/x')).status).not.toBe(401)
  })
})
