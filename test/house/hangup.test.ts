import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type IncomingMessage, request as sendRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { startUpstream, type Upstream, valuesOf } from '../support/api/upstream.ts'
import { eventually } from '../support/eventually.ts'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway/gateway-process.ts'
import { freePort } from '../support/ports.ts'
import { type ScriptedProvider, startScriptedProvider } from '../support/provider/scripted-provider.ts'
import { type RedisServer, startRedis } from '../support/redis/redis.ts'
import {
  type FrontendName,
  frontendUrls,
  ownFetch,
  send,
  signIn,
  type TestHouse,
} from '../support/worlds/house.ts'

/** Enough connections, dealt out in turn, to reach each of two workers. */
const enough = 8
const graceSeconds = 2
/** Cookies of the frontend that is removed in the first test. */
const removed = ['coatcheck-till', 'coatcheck-till-device', 'coatcheck-till-login-12345678']

let redis: RedisServer
let folder: string
let file: string
let gateway: GatewayProcess
let providers: Readonly<Record<FrontendName, ScriptedProvider>>
let upstream: Upstream

beforeAll(async () => {
  redis = await startRedis()
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-hangup-'))
  file = join(folder, 'frontends.json')
  providers = {
    shop: await startScriptedProvider({ clientId: 'client-of-shop' }),
    desk: await startScriptedProvider({ clientId: 'client-of-desk' }),
    till: await startScriptedProvider({ clientId: 'client-of-till' }),
  }
  upstream = await startUpstream()
  upstream.on('/events', (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: hello\n\n')
  })
  upstream.on('/bakes', (response) => {
    response.writeHead(200, { 'set-cookie': [...removed, 'theme'].map((name) => `${name}=baked`) }).end()
  })
  upstream.onWebSocket((socket) => socket.on('message', (data) => socket.send(data.toString())))
  await write('shop', 'till')
  gateway = await startGatewayProcess({
    FRONTENDS_FILE: file,
    PORT: `${await freePort()}`,
    WORKERS: '2',
    SESSION_SECRET: 'a-secret-of-the-house-that-hangs-up-0123456789',
    REDIS_URL: redis.url,
    RATE_LIMIT: 'off',
    SHUTDOWN_GRACE: `${graceSeconds}`,
    DRAIN_DELAY: '0',
    LOG_LEVEL: 'info',
  })
  await gateway.ready()
})
afterAll(async () => {
  await gateway.stop()
  await Promise.all(Object.values(providers).map((provider) => provider.stop()))
  await upstream.stop()
  await redis.stop()
  await rm(folder, { recursive: true })
})

/** Settings of one frontend besides the usual ones. */
type Changes = Readonly<Partial<Record<FrontendName, Readonly<Record<string, unknown>>>>>

/** The file with these frontends. */
const write = (...names: readonly FrontendName[]): Promise<void> => writeWith({}, ...names)

async function writeWith(changes: Changes, ...names: readonly FrontendName[]): Promise<void> {
  const allowed = [...removed, 'theme']
  const route = {
    prefix: '/api',
    upstream: upstream.origin,
    forwardCookies: allowed,
    allowSetCookies: allowed,
    websocket: true,
  }
  const frontends = names.map((name) => {
    const { issuer, clientId, clientSecret, audience } = providers[name]
    const own = { ISSUER_URL: issuer, CLIENT_ID: clientId, CLIENT_SECRET: clientSecret }
    const common = { BASE_URL: frontendUrls[name], ...own, API_AUDIENCE: audience, routes: [route] }
    return [name, { ...common, ...changes[name] }]
  })
  await writeFile(file, JSON.stringify({ frontends: Object.fromEntries(frontends) }))
}

const hangUp = (): void => void process.kill(gateway.pid, 'SIGHUP')

const ask: TestHouse['ask'] = (frontend, path, request = {}) => {
  const { host, pathname } = new URL(frontendUrls[frontend])
  const headers = { host, ...request.headers }
  return send(gateway.port, `${pathname === '/' ? '' : pathname}${path}`, { ...request, headers })
}

/** The statuses of as many calls as reach each worker. */
async function statusesOf(name: FrontendName, cookie: string): Promise<readonly number[]> {
  const headers = { cookie, ...ownFetch }
  const calls = Array.from({ length: enough }, () => ask(name, '/api/x', { headers }))
  return [...new Set((await Promise.all(calls)).map(({ status }) => status))]
}

function addressOf(name: FrontendName, path: string) {
  const { host, origin, pathname } = new URL(frontendUrls[name])
  return { host, origin, path: `${pathname === '/' ? '' : pathname}${path}` }
}

async function openEvents(name: FrontendName, cookie: string): Promise<IncomingMessage> {
  const { host, path } = addressOf(name, '/api/events')
  const headers = { host, cookie, ...ownFetch }
  const sent = sendRequest({ port: gateway.port, host: '127.0.0.1', path, headers, agent: false }).end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.on('error', () => undefined)
  await once(response, 'data')
  return response.resume()
}

async function openSocket(name: FrontendName, cookie: string): Promise<WebSocket> {
  const { host, origin, path } = addressOf(name, '/api/socket')
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}${path}`, { headers: { host, origin, cookie } })
  await once(socket, 'open')
  return socket
}

async function echo(socket: WebSocket): Promise<string> {
  const answered = once(socket, 'message')
  socket.send('are you there?')
  return String((await answered)[0])
}

function workersOf(): readonly number[] {
  return execFileSync('pgrep', ['-P', `${gateway.pid}`], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map(Number)
}

it('SIGHUP drains what is gone in every worker, adds what is new, and leaves open streams of the untouched alone', async () => {
  const cookies = {
    shop: await signIn(ask, 'shop', providers.shop, 0),
    till: await signIn(ask, 'till', providers.till, 0),
  }
  expect([await statusesOf('shop', cookies.shop), await statusesOf('till', cookies.till)]).toEqual([
    [200],
    [200],
  ])
  const [stream, socket] = [await openEvents('shop', cookies.shop), await openSocket('shop', cookies.shop)]
  const leaving = [await openEvents('till', cookies.till), await openSocket('till', cookies.till)] as const
  const ended = Promise.all([once(leaving[0], 'close'), once(leaving[1], 'close')])
  const looks = providers.shop.count('/.well-known/openid-configuration')
  let isStreamOver = false
  stream.once('close', () => {
    isStreamOver = true
  })
  await write('shop', 'desk')
  const beganMs = performance.now()
  hangUp()
  const [, [closeCode]] = await ended
  expect(performance.now() - beganMs).toBeLessThan(graceSeconds * 1_000 + 1_500)
  expect(closeCode).toBe(1_001)
  await eventually(async () => expect(await statusesOf('till', cookies.till)).toEqual([421]))
  expect(await echo(socket)).toBe('are you there?')
  expect(isStreamOver).toBe(false)
  expect(await statusesOf('shop', cookies.shop)).toEqual([200])
  expect(providers.shop.count('/.well-known/openid-configuration')).toBe(looks)
  const desk = await signIn(ask, 'desk', providers.desk, 0)
  expect(await statusesOf('desk', desk)).toEqual([200])
  socket.terminate()
  stream.destroy()
}, 60_000)

it('a faulty file leaves the old one in force, in a worker that takes the place of another too', async () => {
  const shop = await signIn(ask, 'shop', providers.shop, 0)
  await writeFile(file, '{ "frontends": { "shop": { "COLOUR": "red" } } }')
  hangUp()
  await gateway.wrote('is faulty; the old one stays in force')
  const line = gateway.log().find(({ msg }) => /is faulty/.test(String(msg)))
  expect(line).toMatchObject({ level: 'error' })
  expect(JSON.stringify(line)).toContain('COLOUR')
  expect(await statusesOf('shop', shop)).toEqual([200])
  const before = workersOf()
  for (const worker of before) await replace(worker)
  expect(await statusesOf('shop', shop)).toEqual([200])
  const desk = await signIn(ask, 'desk', providers.desk, 0)
  expect(await statusesOf('desk', desk)).toEqual([200])
  expect((await ask('till', '/session')).status).toBe(421)
  await expectRemovedCookies(shop)
}, 120_000)

/** Kills a worker; resolves once another listens in its place. */
async function replace(worker: number): Promise<void> {
  const listening = (): number =>
    gateway.log().filter(({ msg }) => /gateway listens/.test(String(msg))).length
  const before = listening()
  process.kill(worker, 'SIGKILL')
  await eventually(() => {
    expect(listening()).toBe(before + 1)
    expect(workersOf()).not.toContain(worker)
  }, 50_000)
}

/** What was the gateway's stays the gateway's, in each worker: no API gets it, and none may set it. */
async function expectRemovedCookies(shop: string): Promise<void> {
  const cookie = [shop, ...removed.map((name) => `__Host-Http-${name}=1`), 'theme=dark'].join('; ')
  const headers = { cookie, ...ownFetch }
  const before = upstream.requests.length
  const calls = Array.from({ length: enough }, () => ask('shop', '/api/bakes', { headers }))
  for (const { setCookies } of await Promise.all(calls)) {
    expect(setCookies.map((each) => each.split(';', 1)[0])).toEqual(['theme=baked'])
  }
  const arrived = upstream.requests.slice(before).map((request) => valuesOf(request, 'cookie'))
  expect(arrived).toEqual(Array.from({ length: enough }, () => ['theme=dark']))
}

it('of SIGHUPs that come one upon another the last file wins, and no stream of the untouched notices', async () => {
  const cookies = {
    shop: await signIn(ask, 'shop', providers.shop, 0),
    desk: await signIn(ask, 'desk', providers.desk, 0),
  }
  const socket = await openSocket('shop', cookies.shop)
  for (let round = 1; round <= 4; round++) {
    await write('shop', 'till')
    hangUp()
    await writeWith({ desk: { AUTH_PREFIX: '/early' } }, 'shop', 'desk', 'till')
    hangUp()
    await writeWith({ desk: { AUTH_PREFIX: `/auth-${round}` } }, 'shop', 'desk')
    hangUp()
    await eventually(async () => {
      for (let worker = 0; worker < enough; worker++) {
        const headers = { cookie: cookies.desk, ...ownFetch }
        const answer = await ask('desk', `/auth-${round}/session`, { headers })
        expect(answer.status).toBe(200)
        expect(answer.json()).toMatchObject({ authenticated: true })
        expect((await ask('till', '/session')).status).toBe(421)
      }
    }, 20_000)
    expect(await echo(socket)).toBe('are you there?')
  }
  socket.terminate()
}, 60_000)

it('the streams of a frontend whose settings change end in order, new ones are the new one’s, and its sessions stay', async () => {
  await write('shop', 'desk')
  hangUp()
  await eventually(async () => expect(await statusOfSession('/session')).toBe(200))
  const desk = await signIn(ask, 'desk', providers.desk, 0)
  const leaving = [await openEvents('desk', desk), await openSocket('desk', desk)] as const
  const ended = Promise.all([once(leaving[0], 'end'), once(leaving[1], 'close')])
  await writeWith({ desk: { AUTH_PREFIX: '/changed' } }, 'shop', 'desk')
  const beganMs = performance.now()
  hangUp()
  const [, [closeCode]] = await ended
  expect(performance.now() - beganMs).toBeLessThan(graceSeconds * 1_000 + 1_500)
  expect([leaving[0].complete, closeCode]).toEqual([true, 1_001])
  await eventually(async () => expect(await statusOfSession('/changed/session')).toBe(200))
  const [events, socket] = [await openEvents('desk', desk), await openSocket('desk', desk)]
  expect(await echo(socket)).toBe('are you there?')
  const headers = { cookie: desk, ...ownFetch }
  const answer = await ask('desk', '/changed/session', { headers })
  expect(answer.json()).toMatchObject({ authenticated: true })
  // A session that ends is heard of by the new one.
  const closed = once(socket, 'close')
  await ask('desk', '/changed/logout', { method: 'POST', headers })
  expect((await closed)[0]).toBe(4_401)
  events.destroy()
}, 60_000)

/** The worst status of as many questions as reach each worker. */
async function statusOfSession(path: string): Promise<number> {
  const asked = Array.from({ length: enough }, () => ask('desk', path, { headers: ownFetch }))
  return Math.max(...(await Promise.all(asked)).map(({ status }) => status))
}
