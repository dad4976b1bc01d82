import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAudit } from '../../../src/telemetry/audit.ts'
import { silentLogger } from '../../../src/telemetry/logs/logger.ts'
import { type Metrics, noMetrics } from '../../../src/telemetry/measures/metrics.ts'
import { startUpstream, type Upstream } from '../../support/api/upstream.ts'
import { eventually } from '../../support/eventually.ts'
import { type RunningGateway, startGateway } from '../../support/gateway/gateway.ts'
import { commandsBetween, readCommandCounts } from '../../support/redis/command-counts.ts'
import { type RedisServer, startRedis } from '../../support/redis/redis.ts'
import { writeReadySessions } from '../../support/worlds/ready-sessions.ts'

const origin = 'https://app.example.test'
const cookieName = '__Host-Http-coatcheck'
const secret = 'a-session-secret-of-these-tests-0123456789'
const idleSeconds = 1_800
/** At most one write of activity in that time. */
const touchSeconds = idleSeconds / 20
/** At most one read in that time, for each session and node. */
const readSeconds = 10

const randomText = (): string => randomBytes(32).toString('base64url')
const sessions = Array.from({ length: 5 }, () => ({
  id: randomText(),
  accessToken: randomText(),
  idToken: randomText(),
  refreshToken: randomText(),
}))

let redis: RedisServer
let counting: Redis
let upstream: Upstream
let nodes: readonly RunningGateway[]
/** The clock of both gateways, which only the tests move. */
let nowMs = Date.now()
/** Lookups that could not use the cache, because a process that others kept from running had no fresh proof of its feed. */
let bypasses = 0

const log = silentLogger()
const metrics: Metrics = {
  ...noMetrics,
  sessionCache(result) {
    if (result === 'bypass') bypasses += 1
  },
}
const telemetry = { log, audit: createAudit(log), metrics }

const settings = () => ({
  ISSUER_URL: 'https://issuer.example.test/',
  CLIENT_ID: 'client',
  CLIENT_SECRET: 'a-secret-of-the-client',
  API_AUDIENCE: 'https://api.example.test',
  API_URL: upstream.origin,
  BASE_URL: origin,
  SESSION_SECRET: secret,
  SESSION_IDLE_TIMEOUT: `${idleSeconds}`,
  REDIS_URL: redis.url,
})

beforeAll(async () => {
  redis = await startRedis()
  counting = redis.client()
  upstream = await startUpstream()
  await writeReadySessions(sessions, {
    redisUrl: redis.url,
    secret,
    issuer: 'https://issuer.example.test/',
    clientId: 'client',
    audience: 'https://api.example.test',
    lifetimeMs: 7_200_000,
    nowMs,
  })
  const node = () => startGateway(settings(), { now: () => nowMs, telemetry })
  nodes = await Promise.all([node(), node()])
})

afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()))
  await upstream.stop()
  await redis.stop()
})

type Headers = Readonly<Record<string, string>>

const signedIn = (id: string): Headers => ({
  cookie: `${cookieName}=${id}`,
  'sec-fetch-site': 'same-origin',
})

async function ask(node: RunningGateway, path: string, headers: Headers, method = 'GET'): Promise<number> {
  const init = { method, headers: { host: new URL(origin).host, ...headers }, redirect: 'manual' } as const
  const response = await fetch(`http://127.0.0.1:${node.port}${path}`, init)
  await response.arrayBuffer()
  return response.status
}

/** What Redis did while `work` ran, its own echo included. */
async function commandsDuring(work: () => Promise<void>): Promise<Record<string, number>> {
  const before = await readCommandCounts(counting)
  await work()
  return commandsBetween(before, await readCommandCounts(counting))
}

/** Every session asks both nodes once in each of these seconds. */
async function steadyUse(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    for (const node of nodes) {
      const asked = sessions.map(({ id }) => ask(node, '/api/x', signedIn(id)))
      expect(new Set(await Promise.all(asked))).toEqual(new Set([200]))
    }
    nowMs += 1_000
  }
}

describe('the commands that Redis is sent', () => {
  it('for sessions in steady use are a read per session, node and 10 s, and a touch per idle/20', async () => {
    // The script of the touch is sent whole the first time.
    nowMs += touchSeconds * 1_000
    await eventually(() => steadyUse(1))
    // Both feeds are proved, and the cache is used, before anything is counted.
    await eventually(async () => {
      await steadyUse(1)
      const again = await commandsDuring(() => steadyUse(1))
      expect(again).toEqual({})
    })
    bypasses = 0
    const seconds = 2 * touchSeconds + readSeconds
    const ran = await commandsDuring(() => steadyUse(seconds))
    const both = sessions.length * nodes.length
    const touches = ran.evalsha ?? 0
    expect(touches).toBeGreaterThanOrEqual(2 * sessions.length)
    expect(touches).toBeLessThanOrEqual(2 * both)
    // A touch is a change like any other: each node reads the session anew after it.
    const mostReads = both * Math.ceil(seconds / readSeconds) + touches * nodes.length + bypasses
    expect(ran.hmget).toBeGreaterThan(both)
    expect(ran.hmget).toBeLessThanOrEqual(mostReads)
    // A call that is open while its session is written is looked after: asked about at the next scan, all of a node at once.
    const { exists = 0, ...rest } = ran
    expect(exists).toBeLessThanOrEqual(mostReads)
    // What the touches do inside of their script, and nothing else.
    expect(Object.keys(rest).toSorted()).toEqual(['evalsha', 'hget', 'hmget', 'hset', 'pexpire'])
    expect([ran.hget, ran.pexpire]).toEqual([touches, touches])
  })

  it('for a flood of requests that are refused are none', async () => {
    const [session] = sessions
    const own = { 'sec-fetch-site': 'same-origin' }
    const mine = signedIn(session?.id ?? '')
    const floods: readonly (readonly [path: string, headers: Headers, method?: string])[] = [
      ['/api/x', own],
      ['/api/x', { ...own, cookie: `${cookieName}=not-an-id` }],
      ['/api/x', { ...own, cookie: `${mine.cookie}; ${mine.cookie}` }],
      ['/api/x', { ...mine, 'sec-fetch-site': 'cross-site' }],
      ['/api/x', { ...mine, origin: 'https://elsewhere.example.test' }, 'POST'],
      ['/api/%2e%2e/x', mine],
      ['/api/x', mine, 'PROPFIND'],
      ['/session', own],
      ['/login?returnTo=/', {}],
      ['/callback?state=x&code=y', {}],
      ['/nothing/here', {}],
    ]
    const ran = await commandsDuring(async () => {
      for (const node of nodes) {
        for (const [path, headers, method] of floods) {
          const statuses = await Promise.all(
            Array.from({ length: 50 }, () => ask(node, path, headers, method)),
          )
          expect(statuses.every((status) => status !== 500 && (status !== 200 || path === '/session'))).toBe(
            true,
          )
        }
      }
    })
    expect(ran).toEqual({})
  })
})
