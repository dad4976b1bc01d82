import { GatewayError } from '../../../errors/gateway-error.ts'
import { createListeners } from '../../lifecycle/listeners.ts'
import type { SessionChanges, SessionRow, SessionStore } from '../contract.ts'
import { createExpiringMap, type ExpiringMap } from './expiring.ts'
import { createMemoryIndexes } from './indexes.ts'

/** Settings of the memory store. */
export interface MemoryStoreOptions {
  /** `SESSION_MAX_LIFETIME`, seconds: index members older than this are pruned when their session is gone. */
  readonly sessionMaxLifetime: number
  /** Most sessions at once; at about 4 KB each the default stays within 40 MB. */
  readonly mostSessions?: number
}

/** What the memory store is handed. */
export interface MemoryStoreDependencies {
  /** The clock, epoch milliseconds. */
  readonly now: () => number
}

const defaultMostSessions = 10_000
/** Redeemed states and the like are tiny, but anybody who can start a login can make them. */
const mostMarks = 100_000
/** Ended entries are invisible at once; this only gives their memory back, and tells listeners of idle sessions. */
const sweepIntervalMs = 1_000
const scanBatch = 500

type Rows = ExpiringMap<SessionRow>

/**
 * Keeps sessions in this process: for development, lost at a restart, bounded. When full it refuses new logins with
 * `overloaded` rather than ending somebody's session.
 */
export function createMemoryStore(
  options: MemoryStoreOptions,
  { now }: MemoryStoreDependencies,
): SessionStore {
  const listeners = createListeners()
  const rows: Rows = createExpiringMap(now, listeners.tell)
  const marks: Marks = createExpiringMap(now)
  const indexes = createMemoryIndexes(now, options.sessionMaxLifetime, (h) => rows.get(h) !== undefined)
  const sweeps = [rows, marks, indexes]
  const timer = setInterval(() => {
    for (const part of sweeps) part.sweep()
  }, sweepIntervalMs).unref()
  return {
    kind: 'memory',
    ...readsOf(rows),
    ...writesOf(rows, listeners.tell, options.mostSessions ?? defaultMostSessions),
    ...leasesOf(marks),
    ...indexes.operations,
    ...marksOf(marks, now),
    ping: async () => undefined,
    status: () => ({ ready: true, reason: undefined, note: memoryNote }),
    changes: changesOf(listeners.subscribe),
    close: async () => clearInterval(timer),
  }
}

const memoryNote = 'Sessions are kept in memory: lost at a restart, and not shared between processes.'

function changesOf(subscribe: SessionChanges['subscribe']): SessionChanges {
  return { isLive: () => true, epoch: () => 0, subscribe }
}

function readsOf(rows: Rows): Pick<SessionStore, 'read' | 'exist' | 'readFacts' | 'scan'> {
  return {
    read: async (h) => rows.get(h),
    exist: async (hs) => hs.map((h) => rows.get(h) !== undefined),
    readFacts: async (hs) => hs.map((h) => rows.get(h)),
    async *scan() {
      const hs = rows.keys().filter((h) => rows.get(h) !== undefined)
      for (let start = 0; start < hs.length; start += scanBatch) yield hs.slice(start, start + scanBatch)
    },
  }
}

function writesOf(
  rows: Rows,
  tell: (h: string) => void,
  mostSessions: number,
): Pick<SessionStore, 'create' | 'replace' | 'touch' | 'delete'> {
  const write = (h: string, row: SessionRow, ttlMs: number): void => {
    if (ttlMs > 0) rows.set(h, row, ttlMs)
    else rows.delete(h)
    tell(h)
  }
  return {
    async create(h, row, ttlMs) {
      const present = rows.get(h)
      if (present !== undefined) return present.writeId === row.writeId
      refuseWhenFull(rows, mostSessions)
      write(h, row, ttlMs)
      return true
    },
    async replace(h, expectedWriteId, next, maxTtlMs = Number.POSITIVE_INFINITY) {
      const row = rows.get(h)
      if (row === undefined) return 'gone'
      if (row.writeId === next.writeId) return 'replaced'
      if (row.writeId !== expectedWriteId) return 'conflict'
      write(h, { ...row, ...next }, Math.min(rows.ttlMs(h), maxTtlMs))
      return 'replaced'
    },
    async touch(h, lastSeenAtMs, ttlMs) {
      const row = rows.get(h)
      if (row === undefined) return false
      write(h, { ...row, lastSeenAtMs: Math.max(row.lastSeenAtMs, lastSeenAtMs) }, ttlMs)
      return true
    },
    async delete(h) {
      const existed = rows.delete(h)
      if (existed) tell(h)
      return existed
    },
  }
}

/** Marks are small values under a key of their own: leases, redeemed states, tombstones, token ids, counters. */
type Marks = ExpiringMap<string | number>

function refuseWhenFull(map: ExpiringMap<unknown>, most: number): void {
  if (map.size < most) return
  map.sweep()
  if (map.size >= most)
    throw new GatewayError('overloaded', { context: { reason: 'memory store full', most } })
}

function leasesOf(marks: Marks): Pick<SessionStore, 'acquireLease' | 'renewLease' | 'releaseLease'> {
  const keyOf = (h: string): string => `lease:${h}`
  return {
    async acquireLease(h, owner, ttlMs) {
      const key = keyOf(h)
      if ((marks.get(key) ?? owner) !== owner) return false
      marks.set(key, owner, ttlMs)
      return true
    },
    async renewLease(h, owner, ttlMs) {
      const key = keyOf(h)
      if (marks.get(key) !== owner) return false
      marks.set(key, owner, ttlMs)
      return true
    },
    async releaseLease(h, owner) {
      const key = keyOf(h)
      if (marks.get(key) === owner) marks.delete(key)
    },
  }
}

function marksOf(
  marks: Marks,
  now: () => number,
): Pick<
  SessionStore,
  'redeemState' | 'writeTombstone' | 'readTombstones' | 'isTokenUsed' | 'recordTokenUse' | 'count'
> {
  const mark = (key: string, value: number, ttlMs: number): void => {
    refuseWhenFull(marks, mostMarks)
    marks.set(key, value, ttlMs)
  }
  return {
    async redeemState(stateHash, ttlMs) {
      const key = `state:${stateHash}`
      const redeemed = marks.get(key) === undefined
      if (redeemed) mark(key, now(), ttlMs)
      return { redeemed, timeMs: now() }
    },
    writeTombstone: async (tombstoneKey, ttlMs) => mark(tombstoneKey, now(), ttlMs),
    readTombstones: async (tombstoneKeys) =>
      tombstoneKeys.map((key) => {
        const writtenAtMs = marks.get(key)
        return writtenAtMs === undefined ? undefined : Number(writtenAtMs)
      }),
    isTokenUsed: async (jtiHash) => marks.get(`jti:${jtiHash}`) !== undefined,
    recordTokenUse: async (jtiHash, ttlMs) => mark(`jti:${jtiHash}`, now(), ttlMs),
    async count(counterKey, windowMs) {
      const key = `count:${counterKey}`
      const before = marks.get(key)
      if (before === undefined) mark(key, 1, windowMs)
      else marks.set(key, Number(before) + 1, marks.ttlMs(key))
      return Number(before ?? 0) + 1
    },
  }
}
