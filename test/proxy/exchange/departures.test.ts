import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { connectionOf } from '../../../src/http/lifetime/connection.ts'
import { type FickleApi, startFickleApi } from '../../support/connection-fuzz/api.ts'
import { eventually } from '../../support/eventually.ts'
import { baseUrl, cookie, routeTo, send, startProxy, type TestProxy } from '../support/harness.ts'

/** What is closed in order may take two pauses of two seconds, on a machine that is busy. */
const restsWithinMs = 8_000
const places = 200

let api: FickleApi
let proxy: TestProxy
/** The gateway's end of every connection that is open. */
const open = new Set<Socket>()

beforeAll(async () => {
  api = await startFickleApi()
  // Nothing is over because of its age: what ends, ends because its client has left.
  const long = { firstByteTimeoutMs: 600_000, idleTimeoutMs: 600_000, connectTimeoutMs: 600_000 }
  const shared = { ...long, maxInFlight: places, maxInFlightPerSession: places }
  proxy = await startProxy({
    routes: [routeTo(api.origin, shared), routeTo(api.origin, { ...shared, prefix: '/open', auth: 'none' })],
    maxWebsocketsPerSession: places,
  })
  proxy.app.server.on('connection', (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
})
/** One that leaves something open fails alone. */
afterEach(() => {
  for (const socket of open) socket.destroy()
})
afterAll(async () => {
  await proxy.stop()
  await api.stop()
})

const signedIn = `cookie: ${cookie}\r\nsec-fetch-site: same-origin\r\n`
const ask = (method: string, path: string, headers = '', body = ''): string =>
  `${method} /api/0/${path} HTTP/1.1\r\nhost: x\r\n${signedIn}${headers}\r\n${body}`
const get = (path: string, headers = ''): string => ask('GET', path, headers)
const upgradeTo = (protocol: string): string =>
  `connection: upgrade\r\nupgrade: ${protocol}\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\norigin: ${baseUrl.origin}\r\n`
const upgrade = (path: string): string => get(path, upgradeTo('websocket'))
const length = (bytes: number): string => `content-length: ${bytes}\r\n`
const chunked = 'transfer-encoding: chunked\r\n'
const asking = 'expect: 100-continue\r\n'
/** Refused by the guard, before its body is asked for: Node makes that the last answer on its connection. */
const refusedLast = `POST /api/0/ok HTTP/1.1\r\nhost: x\r\n${asking}${length(4)}\r\nbody`
const cutOff = ask('PUT', 'ok', chunked, '5\r\nhello\r\n')
const hello = '\x81\x80\0\0\0\0'

/** Each is sent as it stands here, piece by piece. */
const sequences: Readonly<Record<string, readonly string[]>> = {
  'a stream, a last answer in line behind it, a body that is cut off': [get('events'), refusedLast, cutOff],
  'no answer, a last answer in line behind it, a body that is cut off': [get('never'), refusedLast, cutOff],
  'a stream, a last answer in line behind it, half a head': [get('events'), refusedLast, 'GET / HT'],
  'a stream, a last answer in line behind it, garbage': [get('events'), refusedLast, '\0\0\0\0\r\n\r\n'],
  'a stream, a last answer in line behind it, an upgrade': [get('events'), refusedLast, upgrade('ok')],
  'a stream, HTTP/1.0 in line behind it, a body that is cut off': [
    get('events'),
    'GET /open/0/ok HTTP/1.0\r\nhost: x\r\n\r\n',
    cutOff,
  ],
  'a stream that is the last, a body that is cut off': [get('events', 'connection: close\r\n'), cutOff],
  'a stream that is the last, garbage': [get('events', 'connection: close\r\n'), 'zz\r\n\r\n'],
  'an upload that is the last and is not read, garbage in its chunks': [
    ask('PUT', 'never', `connection: close\r\n${chunked}`, '5\r\nhello\r\nzz\r\n'),
  ],
  nothing: [],
  'half a head': ['GET /api/0/ok HTTP/1.1\r\nhost: x\r\n'],
  'one answer, and the connection kept': [get('ok')],
  'a request in two pieces': [get('ok').slice(0, 20), get('ok').slice(20)],
  'answers in line': [get('slow') + get('ok') + get('large'), get('ok')],
  'nothing answered, in line': [get('never') + get('never'), get('never')],
  'a stream, and answers in line behind it': [get('events') + get('ok') + get('slow')],
  HEAD: [ask('HEAD', 'large'), ask('HEAD', 'never')],
  '204 and 304': [get('empty') + get('unchanged'), get('empty')],
  'a large answer': [get('large')],
  'an answer that the API cuts off': [get('broken'), get('ok')],
  'an API that closes without an answer': [get('reset'), get('ok')],
  'lines that come late': [get('lines')],
  'an upload that is whole': [ask('POST', 'ok', length(4), 'body')],
  'an upload that does not come': [ask('POST', 'ok', length(300_000), 'body')],
  'an early answer, and a body that does not come': [ask('POST', 'early', length(300_000), 'body')],
  'a stream as an early answer, and a body that does not come': [
    ask('POST', 'events', length(300_000), 'body'),
  ],
  'a body that nobody reads': [ask('POST', 'never', length(5_000_000), 'x'.repeat(50_000))],
  'chunks that are cut off': [cutOff],
  'chunks that are none': [ask('PUT', 'ok', chunked, '5\r\nhello\r\nzz\r\n')],
  'whole chunks, never answered': [ask('PUT', 'never', chunked, '5\r\nhello\r\n0\r\n\r\n')],
  'a body that is asked for and does not come': [ask('POST', 'ok', asking + length(4))],
  'a body that is asked for and comes': [ask('POST', 'ok', asking + length(4)), 'body'],
  'a body that nobody asks for': [refusedLast, get('ok')],
  'an upgrade that we refuse': [`GET /api/0/ok HTTP/1.1\r\nhost: x\r\n${upgradeTo('websocket')}\r\n`],
  'an upgrade that the API refuses': [upgrade('refuses')],
  'an upgrade that the API never answers': [upgrade('never')],
  'an upgrade with a body': [ask('GET', 'ok', upgradeTo('websocket') + length(4), 'body')],
  'an upgrade to another protocol, with a body': [ask('POST', 'ok', upgradeTo('h2c') + length(4), 'body')],
  'a WebSocket': [upgrade('ok')],
  'a WebSocket, and frames at once': [upgrade('ok') + hello, hello],
  'a WebSocket, and what is no frame': [upgrade('ok'), 'GET / HTTP/1.1\r\n\r\n'],
  'a WebSocket whose other side the API closes': [upgrade('halves')],
  'a WebSocket behind a stream': [get('events'), upgrade('ok')],
  'HTTP/1.0': ['GET /open/0/never HTTP/1.0\r\nhost: x\r\n\r\n', get('ok')],
  CONNECT: ['CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n', 'hello'],
  TLS: ['\x16\x03\x01\x02\0\x01'],
}

const departures: readonly [string, (socket: Socket) => void][] = [
  ['closes', (socket) => socket.destroy()],
  ['resets', (socket) => socket.resetAndDestroy()],
  ['closes its side and reads on', (socket) => socket.end()],
]

/** Something else was asked and answered: what was sent before has been looked at. */
const settle = (): Promise<unknown> => send(proxy.port, '/open/0/ok', { headers: {} })

async function arrive(): Promise<Socket> {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.once('connect', resolve))
  return socket.resume()
}

/** One after the other, in packets of their own. */
async function write(socket: Socket, pieces: readonly string[]): Promise<void> {
  for (const piece of pieces) {
    socket.write(piece, 'latin1')
    await settle()
  }
}

/** What is open at the gateway, by what it owes. */
function leftovers(): readonly unknown[] {
  return [...open].map((socket) => ({
    answered: socket.bytesWritten > 0,
    hasClientLeft: socket.readableEnded,
    owes: connectionOf(socket)?.lives.map(({ request }) => request.url),
  }))
}

async function expectRest(): Promise<void> {
  await eventually(() => {
    expect(leftovers()).toEqual([])
    expect(api.open()).toEqual([])
    expect(proxy.streams).toEqual({ websocket: 0, sse: 0 })
  }, restsWithinMs)
}

describe.each(departures)('a client that %s', (_how, leave) => {
  it.each(Object.entries(sequences))(
    'leaves nothing open: %s',
    async (_what, pieces) => {
      const [atOnce, later] = [await arrive(), await arrive()]
      for (const piece of pieces) atOnce.write(piece, 'latin1')
      leave(atOnce)
      await write(later, pieces)
      leave(later)
      await expectRest()
      for (const socket of [atOnce, later]) socket.destroy()
    },
    40_000,
  )
})
