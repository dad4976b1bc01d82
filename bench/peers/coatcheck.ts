import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type DemoProvider, startDemoProvider } from '../../demo/provider/provider.ts'
import { createSealer } from '../../src/sealing/sealer.ts'
import { createRecordSeal, type RecordSeal } from '../../src/session/record.ts'
import { createRedisStore } from '../../src/session/redis-store.ts'
import type { SessionRecord } from '../../src/session/session.ts'
import { hashSessionId, newWriteId } from '../../src/session/session-keys.ts'
import type { SessionStore } from '../../src/session/store.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { noMetrics } from '../../src/telemetry/metrics.ts'
import { cores, start } from '../processes.ts'
import { type BenchSession, lifetimeSeconds, makeSessions } from '../world.ts'
import type { Gateway, World } from './gateway.ts'

const audience = 'https://bench.example'
const clientId = 'bench'
const connectLimitMs = 5_000
const lifetimeMs = lifetimeSeconds * 1_000
const cliPath = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
const cookieName = 'coatcheck'
const randomSecret = (): string => randomBytes(32).toString('base64url')

/** Coatcheck as its users start it, with its session cache `on` or `off`, and sessions as a login would have left them. */
export async function startCoatcheck(shared: World, port: number, cache: 'on' | 'off'): Promise<Gateway> {
  // Both variants use one Redis, each under a secret of its own.
  const world = { ...shared, sessions: makeSessions() }
  const origin = `http://127.0.0.1:${port}`
  const clientSecret = randomSecret()
  const secret = randomSecret()
  const clients = [{ clientId, clientSecret, baseUrl: origin }]
  const apis = [{ identifier: audience, permissions: [] }]
  const provider = await startDemoProvider({ clients, apis, users: [] })
  try {
    await writeSessions(world, secret, provider.issuer)
    const env = { ...toSettings(world, port, cache), CLIENT_SECRET: clientSecret, SESSION_SECRET: secret }
    return await startWith({ ...env, BASE_URL: origin, ISSUER_URL: provider.issuer }, provider, world, cache)
  } catch (error) {
    await provider.stop()
    throw error
  }
}

async function startWith(
  env: Readonly<Record<string, string>> & { readonly BASE_URL: string; readonly PORT: string },
  provider: DemoProvider,
  { sessions, nodeOptions }: World,
  cache: 'on' | 'off',
): Promise<Gateway> {
  const name = `Coatcheck, cache ${cache}`
  const args = [...nodeOptions, cliPath, 'start']
  const port = Number(env.PORT)
  const running = await start({ name, file: process.execPath, args, env, core: cores.gateway, port })
  const stop = async (): Promise<void> => {
    await running.stop()
    await provider.stop()
  }
  const cookies = sessions.map(({ id }) => `${cookieName}=${id}`)
  return { name, pid: running.pid, origin: env.BASE_URL, cookies, checksOrigin: true, stop }
}

function toSettings(world: World, port: number, cache: 'on' | 'off') {
  return {
    CLIENT_ID: clientId,
    API_AUDIENCE: audience,
    // Coatcheck takes its prefix away before it forwards; the peers keep it.
    API_URL: `${world.upstreamUrl}/api`,
    PORT: `${port}`,
    REDIS_URL: world.redisUrl,
    SESSION_CACHE: cache,
    SESSION_MAX_LIFETIME: `${lifetimeSeconds}`,
    // No peer limits anybody or writes a line for each request.
    RATE_LIMIT: 'off',
    LOG_LEVEL: 'warn',
    DRAIN_DELAY: '0',
  }
}

async function writeSessions(world: World, secret: string, issuer: string): Promise<void> {
  const options = { redisUrl: world.redisUrl, sessionMaxLifetime: lifetimeSeconds }
  const store = createRedisStore(options, { telemetry: { log: silentLogger(), metrics: noMetrics } })
  const seal = createRecordSeal({ sealer: createSealer([secret]), issuer, clientId })
  try {
    await untilReady(store)
    for (const session of world.sessions) await writeSession(store, seal, session, issuer)
  } finally {
    await store.close()
  }
}

/** The store never waits for its connection by itself. */
async function untilReady(store: SessionStore): Promise<void> {
  const untilMs = performance.now() + connectLimitMs
  while (!store.status().ready && performance.now() < untilMs) await sleep(20)
  await store.ping()
}

async function writeSession(
  store: SessionStore,
  seal: RecordSeal,
  session: BenchSession,
  issuer: string,
): Promise<void> {
  const nowMs = Date.now()
  const h = hashSessionId(session.id)
  const writeId = newWriteId()
  const record = toRecord(session, issuer, nowMs)
  const facts = { ...record, subjectIndex: '', providerSessionIndex: undefined }
  const row = {
    sealedRecord: seal.seal(session.id, h, writeId, record),
    writeId,
    sealedFacts: seal.sealFacts(h, facts),
    lastSeenAtMs: nowMs,
  }
  if (!(await store.create(h, row, lifetimeMs))) throw new Error('a session exists already')
}

function toRecord(
  { id, accessToken, idToken, refreshToken }: BenchSession,
  issuer: string,
  nowMs: number,
): SessionRecord {
  const endsAtMs = nowMs + lifetimeMs
  const identity = {
    issuer,
    subject: `bench|${hashSessionId(id).slice(0, 8)}`,
    providerSessionId: undefined,
    loginIssuedAtSeconds: Math.floor(nowMs / 1_000),
    authTimeSeconds: undefined,
    acr: undefined,
    claims: {},
  }
  const access = { [audience]: { value: accessToken, obtainedAtMs: nowMs, expiresAtMs: endsAtMs } }
  const tokens = { idToken, refreshToken, access }
  return { createdAtMs: nowMs, endsAtMs, browserFamily: 'Firefox', identity, tokens }
}
