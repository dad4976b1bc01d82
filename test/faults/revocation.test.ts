import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { hashSessionId } from '../../src/session/record/keys.ts'
import { createStoreKeys } from '../../src/session/store/keys.ts'
import { startUpstream, type Upstream } from '../support/api/upstream.ts'
import { openExchange } from '../support/exchange.ts'
import { callStatus, feedFates, fromOurPage, lateness, startLoad } from '../support/revocation.ts'
import { type ScriptedPair, startScriptedPair } from '../support/worlds/scripted-pair.ts'

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

const statusOf = (cookie: string): Promise<number> => callStatus(pair, cookie)

afterEach(() => pair.gates[1].feed.refuse(false))

describe.each(Object.entries(feedFates))('while the feed of one gateway %s', (_name, fate) => {
  test('a session that is ended at the other serves no call that begins 250 ms later', async () => {
    const stopLoad = startLoad(pair, await Promise.all(Array.from({ length: 4 }, () => pair.signIn(1))))
    const lateMs: number[] = []
    // Anywhere between two signs of life.
    for (let round = 0; round < 6; round += 1) lateMs.push(await lateness(pair, fate, round * 15))
    await stopLoad()
    expect(Math.max(...lateMs)).toBeLessThan(250)
  })

  test('event streams and WebSockets of an ended session close within a second, and stay open otherwise', async () => {
    const [ending, staying] = [await pair.signIn(0), await pair.signIn(0)]
    const events = await openEvents(ending)
    const socket = await openSocket(ending)
    const other = await openEvents(staying)
    const closed = Promise.all([ended(events), once(socket, 'close')])
    fate(pair.gates[1])
    await pair.client.del(keyOf(ending))
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
const keyOf = (cookie: string): string => createStoreKeys().session(hashSessionId(cookie.split('=')[1] ?? ''))

test('a gateway that slept through the end of a session, and lost its feed, serves nothing of it when it wakes', async () => {
  const cookie = await pair.signIn(0)
  expect([await statusOf(cookie), await statusOf(cookie)]).toEqual([200, 200])
  pair.gateways[1].freeze()
  pair.gates[1].feed.stall()
  try {
    await pair.client.del(keyOf(cookie))
    const call = statusOf(cookie)
    // Longer than what it last heard may count for.
    await sleep(300)
    pair.gateways[1].thaw()
    expect(await call).toBe(401)
  } finally {
    pair.gateways[1].thaw()
  }
})

test('a call that is under way at the end of its session is answered 401 within a second, and brings nothing back', async () => {
  upstream.on('/slow', () => undefined)
  const cookie = await pair.signIn(0)
  const arrived = upstream.next()
  const call = pair.request(1, 'GET', '/api/slow', { ...fromOurPage, cookie })
  await arrived
  await pair.client.del(keyOf(cookie))
  const endedAtMs = performance.now()
  expect((await call).status).toBe(401)
  expect(performance.now() - endedAtMs).toBeLessThan(1_000)
  expect(await statusOf(cookie)).toBe(401)
  expect(await pair.client.exists(keyOf(cookie))).toBe(0)
})
