import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { GatewayError } from '../../../src/errors/gateway-error.ts'
import { createRefusal } from '../../../src/http/answers/refusals.ts'
import { createUnroutedWatch } from '../../../src/http/server/unrouted-log.ts'
import { createAudit } from '../../../src/telemetry/audit.ts'
import { createLogger } from '../../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../../src/telemetry/measures/metrics.ts'
import { createPrometheusMetrics } from '../../../src/telemetry/measures/prometheus.ts'
import { minimalEnv } from '../../config/fixtures.ts'
import { startUpstream, type Upstream } from '../../support/api/upstream.ts'
import { eventually } from '../../support/eventually.ts'
import { type RunningGateway, startGateway } from '../../support/gateway/gateway.ts'
import { createFakeProvider } from '../support/fake-provider.ts'

let upstream: Upstream
let folder: string
let gateway: RunningGateway | undefined
beforeEach(async () => {
  upstream = await startUpstream()
  upstream.onWebSocket((socket) => socket.on('message', (data) => socket.send(data)))
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-test-'))
})
afterEach(async () => {
  await gateway?.stop()
  await upstream.stop()
  await rm(folder, { recursive: true, force: true })
})

/** A log, and its request lines. */
function createLines() {
  const written: string[] = []
  const log = createLogger(
    { logLevel: 'info', logFormat: 'json' },
    { write: (line: string) => written.push(line) },
  )
  const parse = (line: string) => JSON.parse(line) as Readonly<Record<string, unknown>>
  return { log, lines: () => written.map(parse).filter(({ msg }) => msg === 'request') }
}

/** A gateway with one open route, and what it logs. */
async function start(
  metrics = noMetrics,
): Promise<{ port: number; lines: () => Readonly<Record<string, unknown>>[] }> {
  const routesFile = join(folder, 'routes.json')
  const route = { prefix: '/open', upstream: upstream.origin, auth: 'none', websocket: true }
  await writeFile(routesFile, JSON.stringify({ routes: [route] }))
  const { log, lines } = createLines()
  const { API_URL: _, ...env } = minimalEnv
  gateway = await startGateway(
    { ...env, ROUTES_FILE: routesFile },
    { telemetry: { log, audit: createAudit(log), metrics }, provider: createFakeProvider(Date.now).provider },
  )
  return { port: gateway.port, lines }
}

async function visit(port: number): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/open/socket`)
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => socket.send('hello'))
    socket.once('message', () => socket.close(1000))
    socket.once('close', () => resolve())
    socket.once('error', reject)
  })
}

test('a WebSocket is one line with status 101, once it has ended', async () => {
  const { port, lines } = await start()
  await visit(port)
  await eventually(() => expect(lines()).toHaveLength(1))
  expect(lines()).toMatchObject([{ method: 'GET', path: '/open/socket', status: 101, complete: true }])
})

test('a refused WebSocket is one line with what it was answered', async () => {
  const { port, lines } = await start()
  const socket = new WebSocket(`ws://127.0.0.1:${port}/livez`)
  await new Promise<void>((resolve) => socket.once('error', () => resolve()))
  await eventually(() => expect(lines()).toMatchObject([{ path: '/livez', status: 200 }]))
})

test('the time that a WebSocket was open is no request duration', async () => {
  const { metrics, exposition } = createPrometheusMetrics()
  const { port, lines } = await start(metrics)
  await visit(port)
  await eventually(() => expect(lines()).toHaveLength(1))
  const text = await exposition.text()
  expect(text).not.toMatch(/coatcheck_request_duration_seconds_count\{route="\/open"/)
  expect(text).toContain('coatcheck_open_streams{kind="websocket"} 0\n')
})

const handshake = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: x\r\n\r\n`
const connectTo = 'CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n'
const slow = 'GET /open/slow HTTP/1.1\r\nhost: a\r\n\r\n'

/** Sends bytes, and resolves to what came back before the connection was closed. */
async function send(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.on('data', (chunk: Buffer) => (received += chunk.toString())).on('error', () => undefined)
  socket.write(bytes)
  await once(socket, 'close')
  return received
}

test.each([
  ['CONNECT', connectTo, { method: 'CONNECT', path: 'a:443', status: 405 }],
  ['what is no HTTP', 'no http at all\r\n\r\n', { method: '', path: '', status: 400 }],
  ['too many headers', `GET / HTTP/1.1\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`, { method: '', status: 431 }],
])('%s is refused with one line, whose id is that of the answer', async (_what, bytes, line) => {
  const { port, lines } = await start()
  const answer = await send(port, bytes)
  await eventually(() => expect(lines()).toMatchObject([{ ...line, complete: true }]))
  expect(answer).toContain(`urn:coatcheck:request:${lines()[0]?.requestId}`)
})

test.each([
  ['a handshake', handshake('/open/socket?secret=1'), { method: 'GET', path: '/open/socket', status: 400 }],
  ['CONNECT', connectTo, { method: 'CONNECT', path: 'a:443', status: 405 }],
])(
  '%s behind an answer under way is a line of its own, though nothing is said',
  async (_what, bytes, line) => {
    const { port, lines } = await start()
    upstream.on('/open/slow', () => undefined)
    expect(await send(port, slow + bytes)).toBe('')
    await eventually(() => expect(lines()).toHaveLength(2))
    expect(lines()).toContainEqual(
      expect.objectContaining({ path: '/open/slow', status: 499, complete: false }),
    )
    expect(lines()).toContainEqual(expect.objectContaining({ ...line, complete: false }))
  },
)

test('a request whose body is no HTTP is one line, with what it was answered', async () => {
  const { port, lines } = await start()
  const head = 'POST /open/upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n'
  upstream.on('/open/upload', () => undefined)
  expect(await send(port, `${head}zz\r\n`)).toMatch(/^HTTP\/1\.1 400 /)
  await eventually(() => expect(lines()).toHaveLength(1))
  expect(lines()).toMatchObject([{ method: 'POST', path: '/open/upload', status: 400, complete: false }])
})

test('a connection that was opened in advance and never used is no request', async () => {
  const { port, lines } = await start()
  const taken = once(gateway?.app.server ?? process, 'connection')
  const answer = send(port, '')
  const [socket] = await taken
  const error = Object.assign(new Error('slow'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' })
  gateway?.app.server.emit('clientError', error, socket)
  expect(await answer).toMatch(/^HTTP\/1\.1 408 /)
  expect(lines()).toEqual([])
})

test('what nobody has answered before its browser left is one line, with a status that says so', async () => {
  const { log, lines } = createLines()
  const watch = createUnroutedWatch({ log, metrics: noMetrics })
  const server = createServer((request, response) => watch(request, response, performance.now()))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const taken = once(server, 'request')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write('GET /left HTTP/1.1\r\nhost: a\r\n\r\n')
  await taken
  socket.destroy()
  await eventually(() => expect(lines()).toMatchObject([{ path: '/left', status: 499, complete: false }]))
  server.close()
})

test('what reaches no frontend is one line', async () => {
  const { log, lines } = createLines()
  const refuse = createRefusal({ log, metrics: noMetrics })
  const server = createServer((request, response) => {
    refuse(request, response, new GatewayError('misdirected_request'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const answer = await send((server.address() as AddressInfo).port, 'GET /x?y HTTP/1.1\r\nhost: a\r\n\r\n')
  server.close()
  await eventually(() => expect(lines()).toMatchObject([{ path: '/x', status: 421, complete: true }]))
  expect(answer).toContain(`urn:coatcheck:request:${lines()[0]?.requestId}`)
})
