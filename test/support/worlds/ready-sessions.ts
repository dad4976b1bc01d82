import { setTimeout as sleep } from 'node:timers/promises'
import { bindingOf } from '../../../src/oidc/tokens/binding.ts'
import { createSealer } from '../../../src/sealing/sealer.ts'
import { hashSessionId, newWriteId } from '../../../src/session/record/keys.ts'
import { createRecordSeal, type RecordSeal } from '../../../src/session/record/record.ts'
import type { SessionRecord } from '../../../src/session/record/session.ts'
import type { SessionRow, SessionStore } from '../../../src/session/store/contract.ts'
import { createRedisStore } from '../../../src/session/store/redis/store.ts'
import { createDpopKey } from '../../../src/signing/dpop-key.ts'
import { silentLogger } from '../../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../../src/telemetry/measures/metrics.ts'

/** What a login would have obtained. */
export interface ReadySession {
  readonly id: string
  readonly accessToken: string
  readonly idToken: string
  readonly refreshToken: string
}

/** The deployment that the sessions belong to, and their times. */
export interface ReadySessionsOptions {
  readonly redisUrl: string
  /** `SESSION_SECRET`. */
  readonly secret: string
  readonly issuer: string
  readonly clientId: string
  /** Its name in `FRONTENDS_FILE`; none where there is no such file. */
  readonly frontend?: string
  readonly audience: string
  readonly lifetimeMs: number
  /** How long the access token lasts; as long as the session unless told otherwise. */
  readonly accessTokenMs?: number
  /** Whether each session's token is bound to a key of its own (RFC 9449). */
  readonly isBound?: boolean
  /** The public key that each session is bound to the device by, whose proof is demanded. */
  readonly deviceJwk?: Readonly<Record<string, string>>
  /** The clock; the system's unless told otherwise. */
  readonly nowMs?: number
}

/** Written at the same time; more would only wait longer than a command may. */
const batchSize = 100
const connectLimitMs = 5_000
const mostAttempts = 5
const attemptPauseMs = 100

/** Writes sessions to Redis as logins would have left them: for what needs more of them than anybody can sign in. */
export async function writeReadySessions(
  sessions: Iterable<ReadySession>,
  options: ReadySessionsOptions,
): Promise<void> {
  const storeOptions = { redisUrl: options.redisUrl, sessionMaxLifetime: options.lifetimeMs / 1_000 }
  const opened = createRedisStore(storeOptions, { telemetry: { log: silentLogger(), metrics: noMetrics } })
  const { frontend } = options
  const store = frontend === undefined ? opened : opened.forFrontend(frontend, storeOptions)
  const seal = createRecordSeal({ ...options, sealer: createSealer([options.secret], frontend) })
  try {
    await untilReady(opened)
    let batch: Promise<void>[] = []
    for (const session of sessions) {
      batch.push(writeSession(store, seal, session, options))
      if (batch.length < batchSize) continue
      await Promise.all(batch)
      batch = []
    }
    await Promise.all(batch)
  } finally {
    await opened.close()
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
  session: ReadySession,
  options: ReadySessionsOptions,
): Promise<void> {
  const nowMs = options.nowMs ?? Date.now()
  const h = hashSessionId(session.id)
  const writeId = newWriteId()
  const record = toRecord(session, options, nowMs)
  const facts = {
    ...record,
    subjectIndex: '',
    providerSessionIndex: undefined,
    isDeviceBound: options.deviceJwk !== undefined,
  }
  const row = {
    sealedRecord: seal.seal(session.id, h, writeId, record),
    writeId,
    sealedFacts: seal.sealFacts(h, facts),
    lastSeenAtMs: nowMs,
  }
  if (!(await createSurely(store, h, row, options.lifetimeMs))) throw new Error('a session exists already')
}

/** A machine that is busy with other things may need another attempt; the same write twice is one. */
async function createSurely(
  store: SessionStore,
  h: string,
  row: SessionRow,
  ttlMs: number,
): Promise<boolean> {
  for (let attempt = 1; attempt < mostAttempts; attempt += 1) {
    try {
      return await store.create(h, row, ttlMs)
    } catch {
      await sleep(attemptPauseMs)
    }
  }
  return store.create(h, row, ttlMs)
}

function toRecord(
  { id, accessToken, idToken, refreshToken }: ReadySession,
  {
    issuer,
    audience,
    lifetimeMs,
    accessTokenMs = lifetimeMs,
    isBound = false,
    deviceJwk,
  }: ReadySessionsOptions,
  nowMs: number,
): SessionRecord {
  const identity = {
    issuer,
    subject: `user|${hashSessionId(id).slice(0, 8)}`,
    providerSessionId: undefined,
    loginIssuedAtSeconds: Math.floor(nowMs / 1_000),
    authTimeSeconds: undefined,
    acr: undefined,
    claims: {},
  }
  const key = isBound ? createDpopKey() : undefined
  const token = {
    value: accessToken,
    obtainedAtMs: nowMs,
    expiresAtMs: nowMs + accessTokenMs,
    ...(key === undefined ? {} : { boundTo: key.thumbprint }),
  }
  const binding = key === undefined ? {} : { binding: bindingOf(key) }
  const tokens = { idToken, refreshToken, access: { [audience]: token }, ...binding }
  const times = { createdAtMs: nowMs, endsAtMs: nowMs + lifetimeMs }
  const record = { ...times, browserFamily: 'Firefox', identity, tokens }
  if (deviceJwk === undefined) return record
  return { ...record, device: { offeredAtMs: nowMs, publicJwk: deviceJwk, isEnforced: true } }
}
