/**
 * Idle event streams and WebSockets in the memory of a gateway: ten thousand, or as many as the descriptors of a process allow.
 * `node bench/scale/idle-streams.ts [most]` prints a table.
 */
import { readFileSync } from 'node:fs'
import { type ClientRequest, request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { type GatewayProcess, startGatewayProcess } from '../../test/support/gateway/gateway-process.ts'
import { freePort } from '../../test/support/ports.ts'
import { startRedis } from '../../test/support/redis/redis.ts'
import { writeReadySessions } from '../../test/support/worlds/ready-sessions.ts'
import { residentMb } from '../arena/proc-stat.ts'
import { cores, start } from '../arena/processes.ts'
import { makeSessions } from '../arena/world.ts'
import { table, whole } from '../report/table.ts'
import { deployment } from './records.ts'
import { startStormProvider } from './storm-provider.ts'

const lifetimeMs = 7_200_000
const wanted = 10_000
/** Descriptors that a gateway needs for other things. */
const spareDescriptors = 300
/** Handshakes at the same time. */
const lanes = 100

const descriptors = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])
/** The gateway holds two descriptors for each: the browser's and the upstream's. */
const allowed = Math.floor((descriptors - spareDescriptors) / 2)
const most = Math.min(Number(process.argv[2] ?? wanted), allowed)

type Open = (port: number, headers: Readonly<Record<string, string>>) => Promise<() => void>

const openEvents: Open = (port, headers) =>
  new Promise((resolve, reject) => {
    const asked: ClientRequest = request({
      host: '127.0.0.1',
      port,
      path: '/api/events',
      headers,
      agent: false,
    })
    asked.once('error', reject).once('response', (response) => {
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`))
      response.on('error', () => undefined).once('data', () => resolve(() => void asked.destroy()))
    })
    asked.end()
  })

const openSocket: Open = (port, headers) =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/api/echo`, { headers })
    socket.once('error', reject).once('open', () => resolve(() => socket.terminate()))
  })

async function openAll(
  open: Open,
  port: number,
  cookies: readonly string[],
): Promise<readonly (() => void)[]> {
  const closers: (() => void)[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < most) {
      const cookie = cookies[next % cookies.length] ?? ''
      next += 1
      closers.push(await open(port, { cookie, origin, 'sec-fetch-site': 'same-origin' }))
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return closers
}

async function measure(name: string, open: Open): Promise<readonly string[]> {
  const gateway = await startGatewayProcess({ ...settings, PORT: `${await freePort()}` })
  try {
    await gateway.ready()
    return await measureWith(gateway, name, open)
  } finally {
    await gateway.kill()
  }
}

async function measureWith(gateway: GatewayProcess, name: string, open: Open): Promise<readonly string[]> {
  const before = residentMb(gateway.pid)
  const startedMs = performance.now()
  const closers = await openAll(open, gateway.port, cookies)
  const seconds = (performance.now() - startedMs) / 1_000
  const after = residentMb(gateway.pid)
  for (const close of closers) close()
  const kbEach = ((after - before) * 1_024) / closers.length
  return [name, whole(closers.length), whole(before), whole(after), kbEach.toFixed(1), seconds.toFixed(1)]
}

const origin = 'http://127.0.0.1:9997'
const redis = await startRedis()
const port = await freePort()
const args = [fileURLToPath(new URL('../arena/upstream.ts', import.meta.url))]
const api = { name: 'upstream', file: process.execPath, args, port, core: cores.rest }
const upstream = await start({ ...api, env: { PORT: `${port}` } })
const provider = await startStormProvider()
const sessions = makeSessions()
const cookies = sessions.map(({ id }) => `coatcheck-${new URL(origin).port}=${id}`)
const settings = {
  ISSUER_URL: provider.issuer,
  CLIENT_ID: deployment.clientId,
  CLIENT_SECRET: 'a-secret-of-the-client',
  API_AUDIENCE: deployment.audience,
  API_URL: `http://127.0.0.1:${port}/api`,
  BASE_URL: origin,
  SESSION_SECRET: deployment.secret,
  REDIS_URL: redis.url,
  MAX_IN_FLIGHT: '20000',
  RATE_LIMIT: 'off',
}
try {
  await writeReadySessions(sessions, {
    ...deployment,
    issuer: provider.issuer,
    redisUrl: redis.url,
    lifetimeMs,
  })
  const rows = [await measure('event streams', openEvents), await measure('WebSockets', openSocket)]
  const head = ['Idle', 'open', 'memory before, MB', 'after, MB', 'KB each', 'opened in, s']
  const scaled =
    most < wanted
      ? ` (${whole(wanted)} would need more than the ${whole(descriptors)} descriptors that a process may have here)`
      : ''
  process.stdout.write(`${table(head, rows)}
${whole(most)} of each, over ${whole(sessions.length)} sessions, on one gateway${scaled}. Memory is the gateway's resident set, buffers of the kernel aside.
`)
} finally {
  provider.stop()
  await upstream.stop()
  await redis.stop()
}
