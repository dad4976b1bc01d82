import { Writable } from 'node:stream'
import type { Redis } from 'ioredis'
import { expect } from 'vitest'
import { createAudit } from '../../../src/telemetry/audit.ts'
import { createLogger } from '../../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../../src/telemetry/measures/metrics.ts'
import { eventually } from '../eventually.ts'
import { type Answer, exchange } from '../exchange.ts'
import { type RunningGateway, startGateway } from '../gateway/gateway.ts'
import { type ScriptedProvider, startScriptedProvider } from '../provider/scripted-provider.ts'
import { type RedisServer, startRedis } from '../redis/redis.ts'

/** A gateway in this process between a real Redis and a provider that misbehaves by script, all on one clock. */
export interface FaultWorld {
  readonly provider: ScriptedProvider
  readonly gateway: RunningGateway
  readonly redis: RedisServer
  /** The provider's timeout, milliseconds. */
  readonly timeoutMs: number
  /** Every line that was logged since {@link FaultWorld.heal}. */
  log(): string
  request(
    method: string,
    path: string,
    headers?: Readonly<Record<string, string>>,
    body?: string,
  ): Promise<Answer>
  /** From `/login` through the provider's approval; `change` is made to the query of the callback. */
  logIn(change?: (query: URLSearchParams) => void, path?: string): Promise<Answer>
  /** A login that works. Returns the session's `Cookie` header. */
  signIn(): Promise<string>
  /** `POST /session/refresh`. */
  refresh(cookie: string): Promise<Answer>
  isSignedIn(cookie: string): Promise<boolean>
  /** Refresh tokens that were revoked at the provider. */
  revoked(): readonly string[]
  /** What Redis holds of sessions: records and index members. */
  sessionKeys(): Promise<readonly string[]>
  advance(milliseconds: number): void
  /** Another gateway of the same deployment, whose clock is ahead by so much; the caller stops it. */
  startNeighbour(aheadMs: number): Promise<RunningGateway>
  /** Takes back every fault and forgets what was logged. */
  heal(): void
  /** Everything that was secret since {@link FaultWorld.heal}, and stands in the log. */
  leaks(): readonly string[]
  stop(): Promise<void>
}

const clientSecret = 'client-secret-that-nobody-may-ever-see'
const timeoutSeconds = 1
/** What a busy machine may add. */
const slackMs = 1_500

/**
 * Starts all of it; stop it after the tests.
 *
 * @param prepare changes the provider before the gateway sees it
 */
export async function startFaultWorld(
  settings: Readonly<Record<string, string>> = {},
  prepare: (provider: ScriptedProvider) => void = () => undefined,
): Promise<FaultWorld> {
  let offsetMs = 0
  const now = (): number => Date.now() + offsetMs
  const redis = await startRedis()
  const provider = await startScriptedProvider({ clientSecret, now })
  prepare(provider)
  const lines: string[] = []
  const gateway = await startGateway(environment(provider, redis.url, settings), {
    now,
    telemetry: telemetryInto(lines),
  })
  const client = redis.client()
  const secrets = new Set<string>()
  const world: FaultWorld = {
    provider,
    gateway,
    redis,
    timeoutMs: timeoutSeconds * 1_000,
    log: () => lines.join(''),
    request: (method, target, headers = {}, body = undefined) =>
      exchange({
        method,
        body,
        url: new URL(target, 'https://app.example.test'),
        headers,
        address: { host: '127.0.0.1', port: gateway.port },
      }),
    async logIn(change, login = '/login') {
      const started = await world.request('GET', login)
      const url = new URL(started.headers.location ?? '')
      const query = new URLSearchParams(provider.approve(url))
      for (const name of ['state', 'nonce']) secrets.add(url.searchParams.get(name) ?? '')
      secrets.add(query.get('code') ?? '')
      change?.(query)
      const cookie = started.setCookies[0]?.split(';')[0] ?? ''
      const callback = URL.parse(url.searchParams.get('redirect_uri') ?? '')?.pathname ?? '/callback'
      return world.request('GET', `${callback}?${query}`, { cookie })
    },
    async signIn() {
      const answer = await world.logIn()
      const cookie = sessionCookieOf(answer)
      if (cookie === undefined) throw new Error(`no session: ${answer.status} ${answer.text()}`)
      return cookie
    },
    refresh: (cookie) => world.request('POST', '/session/refresh', { cookie, 'x-csrf': '1' }),
    async isSignedIn(cookie) {
      const answer = await world.request('GET', '/session', { cookie, 'x-csrf': '1' })
      return answer.json().authenticated === true
    },
    revoked: () =>
      provider.requests
        .filter((request) => request.path === '/revoke')
        .map(({ form }) => form.get('token') ?? ''),
    sessionKeys: () => sessionKeysOf(client),
    advance(milliseconds) {
      offsetMs += milliseconds
    },
    startNeighbour: (aheadMs) =>
      startGateway(environment(provider, redis.url, settings), {
        now: () => now() + aheadMs,
        telemetry: telemetryInto(lines),
      }),
    heal() {
      for (const fault of Object.keys(provider.faults)) Reflect.deleteProperty(provider.faults, fault)
      lines.length = 0
      secrets.clear()
    },
    leaks() {
      const sent = provider.requests.flatMap(({ form }) =>
        ['code', 'code_verifier', 'client_secret', 'refresh_token', 'token'].map((name) => form.get(name)),
      )
      const text = world.log()
      return [...secrets, ...sent, ...provider.issued].filter(
        (secret) => typeof secret === 'string' && secret.length > 5 && text.includes(secret),
      ) as string[]
    },
    async stop() {
      await gateway.stop()
      await provider.stop()
      await redis.stop()
    },
  }
  await eventually(async () => expect((await world.request('GET', '/readyz')).status).toBe(200))
  return world
}

/** The `Cookie` header for the session that an answer has handed out. */
export function sessionCookieOf({ setCookies }: Answer): string | undefined {
  const cookie = setCookies.find((one) => one.startsWith('__Host-Http-coatcheck='))?.split(';')[0]
  return cookie?.endsWith('=') === true ? undefined : cookie
}

/** Why a login can fail, and the status of that. */
export const loginFailures = {
  login_refused: 400,
  login_denied: 403,
  provider_rejected: 502,
  access_token_unusable: 502,
  provider_unavailable: 503,
} as const

/** One of them. */
export type LoginFailure = keyof typeof loginFailures

/** The answer refuses a login: a problem, no session cookie, and the transaction's cookie is removed. */
export function expectRefusedLogin(answer: Answer, code: LoginFailure): void {
  expect({ status: answer.status, code: answer.json().code }).toEqual({ status: loginFailures[code], code })
  expect(answer.setCookies).toHaveLength(1)
  expect(answer.setCookies[0]).toMatch(/^__Host-Http-coatcheck-login-[\w-]{8}=;.*Max-Age=0/)
}

/**
 * A login fails as it should: nothing is left of it, no secret is said, it takes no longer than it may, and the next one works.
 *
 * @param change made to the query of the callback
 */
export async function expectFailedLogin(
  world: FaultWorld,
  code: LoginFailure,
  change?: (query: URLSearchParams) => void,
): Promise<void> {
  const before = await world.sessionKeys()
  const startedAtMs = performance.now()
  expectRefusedLogin(await world.logIn(change), code)
  expect(performance.now() - startedAtMs).toBeLessThan(world.timeoutMs + slackMs)
  expect(await world.sessionKeys()).toEqual(before)
  expect(world.leaks()).toEqual([])
  expect(world.log()).toContain(code)
  world.heal()
  expect(sessionCookieOf(await world.logIn())).toBeDefined()
}

async function sessionKeysOf(client: Redis): Promise<readonly string[]> {
  const kinds = ['session', 'by-sub', 'by-sid', 'refresh']
  const keys = await Promise.all(kinds.map((kind) => client.keys(`coatcheck:${kind}:*`)))
  return keys.flat().sort()
}

function telemetryInto(lines: string[]) {
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString())
      done()
    },
  })
  const log = createLogger({ logLevel: 'trace', logFormat: 'json' }, sink)
  return { log, audit: createAudit(log), metrics: noMetrics }
}

function environment(
  provider: ScriptedProvider,
  redisUrl: string,
  settings: Readonly<Record<string, string>>,
) {
  return {
    ISSUER_URL: provider.issuer,
    CLIENT_ID: provider.clientId,
    CLIENT_SECRET: clientSecret,
    CLIENT_AUTHENTICATION: 'client_secret_post',
    API_AUDIENCE: provider.audience,
    API_URL: 'http://127.0.0.1:9',
    BASE_URL: 'https://app.example.test',
    SESSION_SECRET: 'session-secret-of-a-fault-world-0123456789',
    REDIS_URL: redisUrl,
    PROVIDER_TIMEOUT: `${timeoutSeconds}`,
    ...settings,
  }
}
