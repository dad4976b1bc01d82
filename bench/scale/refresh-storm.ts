/**
 * Ten thousand sessions whose access tokens are past use, and everybody comes back within half a minute, to two gateways at once.
 * `node bench/scale/refresh-storm.ts [sessions]` prints what came of it.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { startUpstream } from '../../test/support/api/upstream.ts'
import { type GatewayProcess, startGatewayProcess } from '../../test/support/gateway/gateway-process.ts'
import { freePort } from '../../test/support/ports.ts'
import { startRedis } from '../../test/support/redis/redis.ts'
import { writeReadySessions } from '../../test/support/worlds/ready-sessions.ts'
import { makeSessions } from '../arena/world.ts'
import { percentile } from '../report/statistics.ts'
import { table, whole } from '../report/table.ts'
import { deployment } from './records.ts'
import { type StormProvider, startStormProvider } from './storm-provider.ts'

const lifetimeMs = 7_200_000
/** The sessions were written an hour ago, and their tokens lasted a minute. */
const [writtenAgoMs, accessTokenMs] = [3_600_000, 60_000]
const stormMs = 30_000
const connectionsEach = 200
const origin = 'http://127.0.0.1:9998'

const settings = (redisUrl: string, upstream: string, issuer: string) => ({
  ISSUER_URL: issuer,
  CLIENT_ID: deployment.clientId,
  CLIENT_SECRET: 'a-secret-of-the-client',
  API_AUDIENCE: deployment.audience,
  ACCESS_TOKEN_FORMAT: 'any',
  API_URL: upstream,
  BASE_URL: origin,
  SESSION_SECRET: deployment.secret,
  SESSION_IDLE_TIMEOUT: `${lifetimeMs / 1_000}`,
  SESSION_MAX_LIFETIME: `${lifetimeMs / 1_000}`,
  REDIS_URL: redisUrl,
  RATE_LIMIT: 'off',
  DRAIN_DELAY: '0',
})

interface Answers {
  /** Status, and the problem's code where there is one. */
  readonly outcomes: Map<string, number>
  readonly waitsMs: number[]
}

async function ask(node: Pool, id: string, { outcomes, waitsMs }: Answers): Promise<void> {
  const startedMs = performance.now()
  const headers = { cookie: `coatcheck-${new URL(origin).port}=${id}`, 'sec-fetch-site': 'same-origin' }
  const { statusCode, body } = await node.request({ path: '/api/x', method: 'GET', headers })
  const code = /"code":"(\w+)"/.exec(await body.text())?.[1] ?? ''
  const outcome = `${statusCode} ${code}`.trim()
  waitsMs.push(performance.now() - startedMs)
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
}

/** Each session asks both gateways, spread evenly over the time. */
async function storm(ids: readonly string[], gateways: readonly GatewayProcess[]): Promise<Answers> {
  const nodes = gateways.map(
    ({ port }) => new Pool(`http://127.0.0.1:${port}`, { connections: connectionsEach }),
  )
  const answers: Answers = { outcomes: new Map(), waitsMs: [] }
  const pending: Promise<void>[] = []
  const startedMs = performance.now()
  for (const [turn, id] of ids.entries()) {
    const dueMs = startedMs + (turn / ids.length) * stormMs
    const aheadMs = dueMs - performance.now()
    if (aheadMs > 1) await sleep(aheadMs)
    for (const node of nodes) pending.push(ask(node, id, answers))
  }
  await Promise.all(pending)
  await Promise.all(nodes.map((node) => node.close()))
  return answers
}

function toRows(count: number, { outcomes, waitsMs }: Answers, provider: StormProvider): string[][] {
  return [
    ['sessions, each used on both gateways', whole(count)],
    ['refresh grants at the provider', whole(provider.grants())],
    ['grants at the same time, at most', whole(provider.mostAtOnce())],
    ['refresh tokens presented twice', whole(provider.presentedTwice())],
    ...[...outcomes].map(([outcome, times]) => [`requests answered ${outcome}`, whole(times)]),
    ['wait p50, ms', whole(percentile(waitsMs, 0.5))],
    ['wait p99, ms', whole(percentile(waitsMs, 0.99))],
  ]
}

const count = Number(process.argv[2] ?? 10_000)
const templates = makeSessions()
const sessions = Array.from({ length: count }, (_, turn) => ({
  ...(templates[turn % templates.length] ?? { accessToken: '', idToken: '' }),
  id: randomBytes(32).toString('base64url'),
  refreshToken: randomBytes(32).toString('base64url'),
}))
const redis = await startRedis()
const upstream = await startUpstream()
const provider = await startStormProvider()
const gateways: GatewayProcess[] = []
try {
  const { issuer } = provider
  const nowMs = Date.now() - writtenAgoMs
  const times = { lifetimeMs, accessTokenMs, nowMs }
  await writeReadySessions(sessions, { ...deployment, ...times, issuer, redisUrl: redis.url })
  for (let node = 0; node < 2; node += 1) {
    const env = { ...settings(redis.url, upstream.origin, issuer), PORT: `${await freePort()}` }
    gateways.push(await startGatewayProcess(env))
  }
  await Promise.all(gateways.map((gateway) => gateway.ready()))
  const answers = await storm(
    sessions.map(({ id }) => id),
    gateways,
  )
  process.stdout.write(`${table(['Refresh storm', 'in all'], toRows(count, answers, provider))}
Everybody comes back within ${stormMs / 1_000} s with a token that is past use; a grant takes the provider 20 ms.
`)
} finally {
  await Promise.all(gateways.map((gateway) => gateway.stop()))
  provider.stop()
  await upstream.stop()
  await redis.stop()
}
