import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RouteConfig } from '../../../src/config/routes/route.ts'
import { startUpstream, type Upstream } from '../../support/api/upstream.ts'
import { eventually as eventuallyWithin } from '../../support/eventually.ts'
import { gather } from '../support/crowd.ts'
import {
  baseUrl,
  cookie,
  ownFetch,
  routeTo,
  send,
  startProxy,
  type TestProxy,
  tokenOf,
} from '../support/harness.ts'

const crowdSize = 300

/** Hundreds of connections take their time on a busy machine. */
const eventually = (assertion: () => unknown): Promise<void> => eventuallyWithin(assertion, 20_000)

let upstream: Upstream
let proxy: TestProxy

beforeEach(async () => {
  upstream = await startUpstream()
})
afterEach(async () => {
  await proxy.stop()
  await upstream.stop()
})

async function start(origin = upstream.origin, more: Partial<RouteConfig> = {}): Promise<void> {
  const places = { maxInFlight: crowdSize, maxInFlightPerSession: crowdSize, ...more }
  const long = { firstByteTimeoutMs: 600_000, idleTimeoutMs: 600_000, connectTimeoutMs: 600_000 }
  proxy = await startProxy({
    routes: [
      routeTo(origin, { ...long, ...places }),
      routeTo(origin, { prefix: '/maybe', auth: 'optional', ...long, ...places }),
    ],
    maxWebsocketsPerSession: crowdSize,
  })
}

const signedIn = `cookie: ${cookie}\r\nsec-fetch-site: same-origin\r\n`
const kinds = {
  fetch: (path: string) => `GET ${path}/x HTTP/1.1\r\nhost: x\r\n${signedIn}\r\n`,
  'event stream': (path: string) =>
    `GET ${path}/x HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n${signedIn}\r\n`,
  'HTTP/1.0': (path: string) => `GET ${path}/x HTTP/1.0\r\nhost: x\r\n${signedIn}\r\n`,
  upload: (path: string) =>
    `POST ${path}/x HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n${signedIn}\r\nhello`,
  'asking upload': (path: string) =>
    `PUT ${path}/x HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 10\r\n${signedIn}\r\n`,
  WebSocket: (path: string) =>
    `GET ${path}/x HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\norigin: ${baseUrl.origin}\r\ncookie: ${cookie}\r\n\r\n`,
  'pipelined pair': (path: string) => `GET ${path}/x HTTP/1.1\r\nhost: x\r\n${signedIn}\r\n`.repeat(2),
} as const
const names = Object.keys(kinds) as (keyof typeof kinds)[]

/** The crowd: every kind on both routes, in turn. */
const mixed = (at: number): string => {
  const kind = kinds[names[at % names.length] ?? 'fetch']
  return kind(at % 2 === 0 ? '/api' : '/maybe')
}

const connections = (): Promise<number> =>
  new Promise((resolve) => proxy.app.server.getConnections((_, count) => resolve(count)))

/** Every place can be taken: as many requests as there are places are answered. */
async function expectAllPlaces(path: string): Promise<void> {
  upstream.on(path.replace('/api', ''), (response) => void response.end('here'))
  const answers = await Promise.all(
    Array.from({ length: crowdSize }, () => send(proxy.port, path, { headers: ownFetch })),
  )
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
}

describe(`${crowdSize} browsers that leave`, () => {
  it.each([
    [
      'during the session lookup',
      () => {
        const lookup = Promise.withResolvers<NonNullable<typeof proxy.sessions.view>>()
        const { view } = proxy.sessions
        proxy.sessions.find = () => {
          proxy.sessions.lookups += 1
          return lookup.promise
        }
        return {
          waiting: () => proxy.sessions.lookups,
          goOn: () => view !== undefined && lookup.resolve(view),
          end: () => Reflect.deleteProperty(proxy.sessions, 'find'),
        }
      },
    ],
    [
      'during a session lookup that fails',
      () => {
        const lookup = Promise.withResolvers<never>()
        proxy.sessions.find = () => {
          proxy.sessions.lookups += 1
          return lookup.promise
        }
        return {
          waiting: () => proxy.sessions.lookups,
          goOn: () => lookup.reject(new Error('the store is down')),
          end: () => Reflect.deleteProperty(proxy.sessions, 'find'),
        }
      },
    ],
    [
      'during a token refresh',
      () => {
        const token = Promise.withResolvers<ReturnType<typeof tokenOf>>()
        let asked = 0
        proxy.tokens.get = () => {
          asked += 1
          return token.promise
        }
        return {
          waiting: () => asked,
          goOn: () => token.resolve(tokenOf('late')),
          end: () => Reflect.deleteProperty(proxy.tokens, 'get'),
        }
      },
    ],
  ])('%s cause nothing upstream and hold no place', { timeout: 60_000 }, async (_what, hold) => {
    await start()
    const { waiting, goOn, end } = hold()
    const crowd = await gather(proxy.port, crowdSize, mixed)
    // A pipelined pair waits twice.
    const expected = Array.from({ length: crowdSize }, (_, at) => mixed(at).split('HTTP/1.').length - 1)
    await eventually(() => expect(waiting()).toBe(expected.reduce((sum, each) => sum + each)))
    await crowd.leave()
    await eventually(async () => expect(await connections()).toBe(0))
    goOn()
    end()
    await expectAllPlaces('/api/after')
    expect(upstream.requests.filter(({ target }) => target !== '/after')).toEqual([])
    expect(proxy.streams).toEqual({ websocket: 0, sse: 0 })
  })

  it('while their upstream is being connected take the connections with them', {
    timeout: 60_000,
  }, async () => {
    const accepted = new Set<Socket>()
    // Takes connections and never speaks TLS on them.
    const silent = createServer((socket) => {
      accepted.add(socket)
      socket
        .resume()
        .on('error', () => undefined)
        .on('close', () => accepted.delete(socket))
    }).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    await start(`https://127.0.0.1:${(silent.address() as AddressInfo).port}`, { maxInFlight: crowdSize * 2 })
    const crowd = await gather(proxy.port, crowdSize, mixed)
    await eventually(() => expect(accepted.size).toBeGreaterThanOrEqual(crowdSize))
    await crowd.leave()
    await eventually(() => expect(accepted.size).toBe(0))
    await eventually(async () => expect(await connections()).toBe(0))
    // Every place is free: nobody of the next is refused one.
    const next = await gather(proxy.port, crowdSize, mixed)
    await eventually(() => expect(accepted.size).toBeGreaterThanOrEqual(crowdSize))
    expect(next.received().filter((text) => / (429|503) /.test(text))).toEqual([])
    await next.leave()
    await eventually(() => expect(accepted.size).toBe(0))
    silent.close()
  })

  it('while the answer is waited for end every call', { timeout: 60_000 }, async () => {
    await start(upstream.origin, { maxInFlight: crowdSize * 2, maxInFlightPerSession: crowdSize * 2 })
    upstream.on('/x', () => undefined)
    upstream.onHandshake((socket) => void socket.resume().once('end', () => socket.destroy()))
    const crowd = await gather(proxy.port, crowdSize, mixed)
    // An upload reaches the upstream with its first bytes.
    const isSent = (request: string): boolean => !request.includes('expect: 100-continue')
    const arriving = Array.from({ length: crowdSize }, (_, at) => mixed(at)).filter(isSent)
    await eventually(() => expect(upstream.requests.length).toBeGreaterThanOrEqual(arriving.length))
    await crowd.leave()
    await Promise.all(upstream.requests.map(({ aborted }) => aborted))
    await expectAllPlaces('/api/after')
    expect(proxy.streams).toEqual({ websocket: 0, sse: 0 })
  })

  it('during the cure of a 401 are not called for again', { timeout: 60_000 }, async () => {
    await start()
    upstream.on(
      '/x',
      (response) =>
        void response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end(),
    )
    const cure = Promise.withResolvers<ReturnType<typeof tokenOf>>()
    proxy.tokens.cure = () => {
      proxy.tokens.cures += 1
      return cure.promise
    }
    const crowd = await gather(proxy.port, crowdSize, () => kinds.fetch('/api'))
    await eventually(() => expect(proxy.tokens.cures).toBe(crowdSize))
    await crowd.leave()
    await eventually(async () => expect(await connections()).toBe(0))
    cure.resolve(tokenOf('other'))
    await expectAllPlaces('/api/after')
    expect(upstream.requests.filter(({ target }) => target === '/x')).toHaveLength(crowdSize)
  })
})

describe('behind a proxy that vouches for addresses', () => {
  it('a browser that left during a lookup holds no place', async () => {
    proxy = await startProxy({
      routes: [
        routeTo(upstream.origin, { maxInFlight: 5, maxInFlightPerSession: 5, firstByteTimeoutMs: 60_000 }),
      ],
      trustProxy: ['127.0.0.1'],
    })
    const { view } = proxy.sessions
    const lookup = Promise.withResolvers<NonNullable<typeof view>>()
    proxy.sessions.find = () => {
      proxy.sessions.lookups += 1
      return lookup.promise
    }
    const crowd = await gather(proxy.port, 5, () =>
      kinds.fetch('/api').replace('host: x', 'host: x\r\nx-forwarded-for: 203.0.113.7'),
    )
    await eventually(() => expect(proxy.sessions.lookups).toBe(5))
    await crowd.leave()
    await eventually(async () => expect(await connections()).toBe(0))
    if (view !== undefined) lookup.resolve(view)
    Reflect.deleteProperty(proxy.sessions, 'find')
    expect((await send(proxy.port, '/api/x')).status).toBe(200)
    expect(upstream.requests).toHaveLength(1)
  })
})
