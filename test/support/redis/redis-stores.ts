import { Writable } from 'node:stream'
import { expect } from 'vitest'
import { hashSessionId, newSessionId, newWriteId } from '../../../src/session/record/keys.ts'
import type { SessionRow, SessionStore } from '../../../src/session/store/contract.ts'
import { createRedisStore, type RedisStoreOptions } from '../../../src/session/store/redis/store.ts'
import { createLogger } from '../../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../../src/telemetry/measures/metrics.ts'
import { eventually } from '../eventually.ts'

/** A store with the lines that it logged. */
export interface LoggedStore {
  readonly store: SessionStore
  /** Messages at `info` and above, in order. */
  readonly messages: readonly string[]
  /** Everything that was logged, as written. */
  text(): string
}

/** Opens a store on a Redis that a test may harm. */
export function openStore(options: Omit<RedisStoreOptions, 'sessionMaxLifetime'>): LoggedStore {
  const lines: string[] = []
  const messages: string[] = []
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString())
      messages.push(String(JSON.parse(chunk.toString()).msg))
      done()
    },
  })
  const log = createLogger({ logLevel: 'info', logFormat: 'json' }, destination)
  const dependencies = { telemetry: { log, metrics: noMetrics } }
  const store = createRedisStore({ ...options, sessionMaxLifetime }, dependencies)
  return { store, messages, text: () => lines.join('') }
}

/** Waits until the store works and its feed is live. */
export async function untilReady({ store }: LoggedStore, withinMs?: number): Promise<void> {
  await eventually(() => expect(store.status().ready).toBe(true), withinMs)
  await eventually(() => expect(store.changes.isLive()).toBe(true), withinMs)
}

/** `SESSION_MAX_LIFETIME` of stores under test, seconds. */
export const sessionMaxLifetime = 36_000

/** Every byte value, because sealed bytes are no text. */
export const allBytes = Buffer.from(Array.from({ length: 256 }, (_one, index) => index))

/** A session hash that nobody has. */
export const newHash = (): string => hashSessionId(newSessionId())

/** A row of a session. */
export const newRow = (row: Partial<SessionRow> = {}): SessionRow => ({
  sealedRecord: allBytes,
  writeId: newWriteId(),
  sealedFacts: Buffer.from([0, 255, 10]),
  lastSeenAtMs: 1_000,
  ...row,
})

/** Every kind of operation, for faults that must hit all of them. */
export const operations: readonly (readonly [
  string,
  (store: SessionStore, h: string) => Promise<unknown>,
])[] = [
  ['read', (store, h) => store.read(h)],
  ['create', (store, h) => store.create(h, newRow(), 5_000)],
  ['replace', (store, h) => store.replace(h, 'a', newRow())],
  ['touch', (store, h) => store.touch(h, 1, 5_000)],
  ['delete', (store, h) => store.delete(h)],
  ['acquireLease', (store, h) => store.acquireLease(h, 'owner', 5_000)],
  ['addToIndex', (store, h) => store.addToIndex(`coatcheck:by-sub:${h}`, { h, issuedAtSeconds: 1 }, 5_000)],
  ['redeemState', (store, h) => store.redeemState(h, 5_000)],
  ['readTombstones', (store, h) => store.readTombstones([`coatcheck:ended:${h}`])],
  ['count', (store, h) => store.count(h, 5_000)],
  ['exist', (store, h) => store.exist([h, h])],
  ['ping', (store) => store.ping()],
]

/** The time within which a fault must be known, milliseconds. */
export const deadlineMs = 2_000

/** Claims that work is refused as unavailable, in time. */
export async function expectUnavailable(work: Promise<unknown>): Promise<void> {
  const startedMs = performance.now()
  await expect(work).rejects.toMatchObject({ code: 'session_store_unavailable' })
  expect(performance.now() - startedMs).toBeLessThan(deadlineMs)
}
