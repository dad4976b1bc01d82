import { Agent, type IncomingMessage, request as sendRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startWorld, type World } from '../../support/worlds/world.ts'

const burst = 1_000
/** More than come back while a flood lasts, by far. */
const flood = burst + 500

let world: World
const agent = new Agent({ keepAlive: true, maxSockets: 50 })

beforeAll(async () => {
  // The test is the proxy in front: what it says in X-Forwarded-For is believed.
  world = await startWorld({ settings: { TRUST_PROXY: '127.0.0.1', LOG_LEVEL: 'info' } })
})
afterAll(async () => {
  agent.destroy()
  await world.stop()
})

/** One request on a kept connection, and its whole answer. */
function ask(path: string, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> {
  const { port } = world.gateways.at(-1) ?? { port: 0 }
  return new Promise((resolve, reject) => {
    const request = sendRequest({ agent, host: '127.0.0.1', port, path, headers })
    request.once('error', reject)
    request.once('response', (answer) => answer.resume().once('end', () => resolve(answer)))
    request.end()
  })
}

const send = async (path: string, headers: Readonly<Record<string, string>>): Promise<number> =>
  (await ask(path, headers)).statusCode ?? 0

const fetchFrom = (address: string, more: Readonly<Record<string, string>> = {}) => ({
  'x-forwarded-for': address,
  'sec-fetch-site': 'same-origin',
  'sec-fetch-mode': 'cors',
  'sec-fetch-dest': 'empty',
  ...more,
})

/** Statuses of many requests at once, counted. */
async function sendMany(
  count: number,
  path: string,
  headersOf: (one: number) => Readonly<Record<string, string>>,
): Promise<Readonly<Record<number, number>>> {
  const statuses = await Promise.all(Array.from({ length: count }, (_, one) => send(path, headersOf(one))))
  const counted: Record<number, number> = {}
  for (const status of statuses) counted[status] = (counted[status] ?? 0) + 1
  return counted
}

const forgedCookie = (one: number): string => `${world.sessionCookieName}=${`${one}`.padStart(43, 'x')}`

async function reads(): Promise<number> {
  const stats = await world.redis.client().info('commandstats')
  return Number(/cmdstat_hmget:calls=(\d+)/.exec(stats)?.[1] ?? 0)
}

describe('a flood from one address', () => {
  test('of invented sessions is answered 429 in time and spares Redis, while a neighbour signs in and works', async () => {
    const browser = world.browser()
    await world.signIn(browser)
    const cookie = `${world.sessionCookieName}=${world.sessionCookie(browser)}`
    const counted = await sendMany(flood, '/api/orders', (one) =>
      fetchFrom('203.0.113.1', { cookie: forgedCookie(one) }),
    )
    expect(counted[401]).toBeGreaterThanOrEqual(burst)
    expect(counted[429]).toBeGreaterThan(0)
    expect(Object.keys(counted)).toEqual(['401', '429'])
    const [readsBefore, beganAtMs] = [await reads(), performance.now()]
    const refused = await sendMany(200, '/api/orders', (one) =>
      fetchFrom('203.0.113.1', { cookie: forgedCookie(flood + one) }),
    )
    // What the address gets back meanwhile, 20 a second: a slow machine takes longer, and more of them are looked up.
    const regained = Math.ceil((performance.now() - beganAtMs) / 50)
    expect(refused[429]).toBeGreaterThan(150 - regained)
    // Each token that comes back lets in what is under way at that moment, up to the 50 connections here.
    expect((await reads()) - readsBefore).toBeLessThan(200)
    expect(await send('/api/orders', fetchFrom('203.0.113.2', { cookie }))).toBe(200)
    // The address of the flood itself: whoever is signed in there is not concerned.
    expect(await send('/api/orders', fetchFrom('203.0.113.1', { cookie }))).toBe(200)
    expect(await send('/session', fetchFrom('203.0.113.1', { cookie }))).toBe(200)
  })

  test('is not helped by what it writes into X-Forwarded-For: only the last entry is the proxy’s', async () => {
    const counted = await sendMany(flood, '/session', (one) =>
      fetchFrom(`198.51.100.${one % 250}, 203.0.113.3`),
    )
    expect(counted[200]).toBeGreaterThanOrEqual(burst)
    expect(counted[429]).toBeGreaterThan(0)
    expect(await send('/session', fetchFrom('198.51.100.7'))).toBe(200)
  })

  test('is one address with all of its /64', async () => {
    const counted = await sendMany(flood, '/session', (one) => fetchFrom(`2001:db8::${one.toString(16)}`))
    expect(counted[429]).toBeGreaterThan(0)
    expect(await send('/session', fetchFrom('2001:db8:0:1::1'))).toBe(200)
  })

  test('is told when to come again, and it is right', async () => {
    const headers = fetchFrom('203.0.113.4')
    const answers = await Promise.all(Array.from({ length: flood }, () => ask('/session', headers)))
    const refused = answers.find(({ statusCode }) => statusCode === 429)
    expect(refused?.headers).toMatchObject({
      'retry-after': '1',
      'content-type': 'application/problem+json; charset=utf-8',
    })
    await sleep(1_000)
    expect(await send('/session', headers)).toBe(200)
  })
})

describe('a page with many parallel calls', () => {
  test('meets no limit, with all its users behind one address', async () => {
    const browsers = [world.browser(), world.browser()]
    for (const browser of browsers) await world.signIn(browser)
    const cookies = browsers.map((one) => `${world.sessionCookieName}=${world.sessionCookie(one)}`)
    const counted = await sendMany(4_000, '/api/orders', (one) =>
      fetchFrom('203.0.113.5', { cookie: cookies[one % 2] ?? '' }),
    )
    expect(counted).toEqual({ 200: 4_000 })
  })
})

describe('without TRUST_PROXY', () => {
  test('behind a proxy nobody is limited, and one line says why', async () => {
    const gateway = await world.replaceGateway(0, { TRUST_PROXY: 'none' })
    await gateway.ready()
    const counted = await sendMany(flood, '/session', () => fetchFrom('203.0.113.6'))
    expect(counted).toEqual({ 200: flood })
    const lines = gateway.log().filter(({ msg }) => `${msg}`.includes('not limited by address'))
    expect(lines).toMatchObject([{ level: 'warn', reason: 'private' }])
  })
})
