import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { createAudit } from '../../../src/telemetry/audit.ts'
import { createLogger } from '../../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../../src/telemetry/measures/metrics.ts'
import { createPrometheusMetrics } from '../../../src/telemetry/measures/prometheus.ts'
import { minimalEnv } from '../../config/fixtures.ts'
import { eventually } from '../../support/eventually.ts'
import { type RunningGateway, startGateway } from '../../support/gateway.ts'
import { startUpstream, type Upstream } from '../../support/upstream.ts'
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

/** A gateway with one open route, and what it logs. */
async function start(
  metrics = noMetrics,
): Promise<{ port: number; lines: () => Readonly<Record<string, unknown>>[] }> {
  const routesFile = join(folder, 'routes.json')
  const route = { prefix: '/open', upstream: upstream.origin, auth: 'none', websocket: true }
  await writeFile(routesFile, JSON.stringify({ routes: [route] }))
  const written: string[] = []
  const log = createLogger(
    { logLevel: 'info', logFormat: 'json' },
    { write: (line: string) => written.push(line) },
  )
  const { API_URL: _, ...env } = minimalEnv
  gateway = await startGateway(
    { ...env, ROUTES_FILE: routesFile },
    { telemetry: { log, audit: createAudit(log), metrics }, provider: createFakeProvider(Date.now).provider },
  )
  const parse = (line: string) => JSON.parse(line) as Readonly<Record<string, unknown>>
  return { port: gateway.port, lines: () => written.map(parse).filter(({ msg }) => msg === 'request') }
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
