import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { eventually } from '../support/eventually.ts'
import { openExchange } from '../support/exchange.ts'
import { type ScriptedPair, startScriptedPair } from '../support/scripted-pair.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

let upstream: Upstream
let pair: ScriptedPair

beforeAll(async () => {
  upstream = await startUpstream()
  upstream.on('/events', (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: hello\n\n')
  })
  upstream.onWebSocket(() => undefined)
  pair = await startScriptedPair({ API_URL: upstream.origin })
})
afterAll(async () => {
  await pair?.stop()
  await upstream?.stop()
})

const fromOurPage = { 'sec-fetch-site': 'same-origin' }

async function statusOf(cookie: string): Promise<number> {
  return (await pair.request(1, 'GET', '/api/orders', { ...fromOurPage, cookie })).status
}

/** What can become of the second gateway's feed, shortly before a session ends on the first. */
const fates = {
  'is alive': () => undefined,
  'was just killed': () => pair.gates[1].feed.cut(),
  'has just gone half-open': () => pair.gates[1].feed.stall(),
  'cannot be opened again': () => {
    pair.gates[1].feed.refuse(true)
    pair.gates[1].feed.cut()
  },
} as const
const names = Object.keys(fates) as (keyof typeof fates)[]

afterEach(() => pair.gates[1].feed.refuse(false))

/** Calls without pause until the session is refused; returns when the last call that was let through had begun. */
async function lastServed(cookie: string): Promise<number> {
  for (let servedMs = Number.NEGATIVE_INFINITY; ; ) {
    const beganMs = performance.now()
    const status = await statusOf(cookie)
    if (status === 401) return servedMs
    expect(status).toBe(200)
    servedMs = beganMs
  }
}

/** Other people's calls, until told to stop. */
function load(cookies: readonly string[]): () => Promise<unknown> {
  let isOver = false
  const lanes = cookies.map(async (cookie) => {
    while (!isOver) expect(await statusOf(cookie)).toBe(200)
  })
  return () => {
    isOver = true
    return Promise.all(lanes)
  }
}

describe.each(names)('while the feed of one gateway %s', (name) => {
  test('a session that is ended at the other serves no call that begins 250 ms later', async () => {
    const stopLoad = load(await Promise.all(Array.from({ length: 4 }, () => pair.signIn(1))))
    const lateMs: number[] = []
    for (let round = 0; round < 6; round += 1) {
      const cookie = await pair.signIn(0)
      // The second call comes from the cache, if anything does.
      await eventually(async () =>
        expect([await statusOf(cookie), await statusOf(cookie)]).toEqual([200, 200]),
      )
      const serving = lastServed(cookie)
      // Anywhere between two signs of life.
      await sleep(round * 15)
      fates[name]()
      const ended = await pair.request(0, 'POST', '/logout', {
        ...fromOurPage,
        cookie,
        accept: 'application/json',
      })
      const endedMs = performance.now()
      expect(ended.status).toBe(200)
      lateMs.push((await serving) - endedMs)
    }
    await stopLoad()
    expect(Math.max(...lateMs)).toBeLessThan(250)
  })

  test('event streams and WebSockets of an ended session close within a second, and stay open otherwise', async () => {
    const [ending, staying] = [await pair.signIn(0), await pair.signIn(0)]
    const events = await openEvents(ending)
    const socket = await openSocket(ending)
    const other = await openEvents(staying)
    const closed = Promise.all([ended(events), once(socket, 'close')])
    fates[name]()
    await pair.client.del(...(await keysOf(ending)))
    const endedMs = performance.now()
    const [, [code]] = await closed
    // A busy machine may take half a second more.
    expect(performance.now() - endedMs).toBeLessThan(1_500)
    expect(code).toBe(4401)
    expect(other.destroyed).toBe(false)
    other.destroy()
  })
})

async function openEvents(cookie: string): Promise<IncomingMessage> {
  const stream = await openExchange({
    method: 'GET',
    url: new URL('https://app.example.test/api/events'),
    headers: { ...fromOurPage, cookie },
    address: { host: '127.0.0.1', port: pair.gateways[1].port },
  })
  expect(stream.statusCode).toBe(200)
  await once(stream, 'data')
  stream.on('error', () => undefined).resume()
  return stream
}

function ended(stream: IncomingMessage): Promise<unknown> {
  return new Promise((resolve) => stream.once('close', resolve))
}

async function openSocket(cookie: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${pair.gateways[1].port}/api/socket`, {
    origin: 'https://app.example.test',
    headers: { cookie },
  })
  await once(socket, 'open')
  return socket
}

/** The key of a session, by its cookie. */
async function keysOf(cookie: string): Promise<readonly string[]> {
  const { hashSessionId, sessionKey } = await import('../../src/session/session-keys.ts')
  return [sessionKey(hashSessionId(cookie.split('=')[1] ?? ''))]
}

test('a gateway that slept through the end of a session serves nothing of it when it wakes', async () => {
  const cookie = await pair.signIn(0)
  expect([await statusOf(cookie), await statusOf(cookie)]).toEqual([200, 200])
  pair.gateways[1].freeze()
  try {
    await pair.client.del(...(await keysOf(cookie)))
    const call = statusOf(cookie)
    // Longer than what it last heard may count for.
    await sleep(300)
    pair.gateways[1].thaw()
    expect(await call).toBe(401)
  } finally {
    pair.gateways[1].thaw()
  }
})

test('a call that began before the end of its session may finish, and brings nothing back', async () => {
  const answer = Promise.withResolvers<void>()
  upstream.on('/slow', async (response) => {
    await answer.promise
    response.end('late')
  })
  const cookie = await pair.signIn(0)
  const arrived = upstream.next()
  const call = pair.request(1, 'GET', '/api/slow', { ...fromOurPage, cookie })
  await arrived
  const [key] = await keysOf(cookie)
  await pair.client.del(key ?? '')
  answer.resolve()
  expect((await call).status).toBe(200)
  expect(await statusOf(cookie)).toBe(401)
  expect(await pair.client.exists(key ?? '')).toBe(0)
})
