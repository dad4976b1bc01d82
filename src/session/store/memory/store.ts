import { GatewayError } from '../../../errors/gateway-error.ts'
import { createSharedListeners } from '../../lifecycle/listeners.ts'
import type { FrontendStoreOptions, SessionChanges, SessionRow, SessionStore, TakenRow } from '../contract.ts'
import { createStoreKeys, readSessionKey, type StoreKeys } from '../keys.ts'
import { piecesOf } from '../pieces.ts'
import { type DeviceMarks, memoryDevices } from './devices.ts'
import { createExpiringMap, type ExpiringMap } from './expiring.ts'
import { type Indexes, memoryIndexes } from './indexes.ts'

/** Settings of the memory store. */
export interface MemoryStoreOptions extends FrontendStoreOptions {
  /** Most sessions at once, of all frontends together; at about 4 KB each the default stays within 40 MB. */
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

/** Sessions by their keys. */
type Rows = ExpiringMap<SessionRow>

/**
 * Keeps sessions in this process: for development, lost at a restart, bounded. When full it refuses new logins with
 * `overloaded` rather than ending somebody's session.
 */
export function createMemoryStore(
  options: MemoryStoreOptions,
  { now }: MemoryStoreDependencies,
): SessionStore {
  const listeners = createSharedListeners()
  const rows: Rows = createExpiringMap(now, listeners.tellKey)
  const marks: Marks = createExpiringMap(now)
  const taken: TakenRows = createExpiringMap(now)
  const indexes: Indexes = createExpiringMap(now)
  const devices: DeviceMarks = createExpiringMap(now)
  const mostSessions = options.mostSessions ?? defaultMostSessions
  const timer = setInterval(() => {
    for (const part of [rows, marks, taken, indexes, devices]) part.sweep()
  }, sweepIntervalMs).unref()
  const write = {
    rows,
    taken,
    tell: listeners.tellKey,
    mostSessions,
  }
  const open = (frontend: string | undefined, { sessionMaxLifetime }: FrontendStoreOptions): SessionStore => {
    const keys = createStoreKeys(frontend)
    const { subscribe, close } = listeners.open(frontend)
    const exists = (h: string): boolean => rows.get(keys.session(h)) !== undefined
    return {
      kind: 'memory',
      keys,
      forFrontend: open,
      ...readsOf(rows, keys),
      ...writesOf(write, keys),
      ...leasesOf(marks, keys),
      ...memoryDevices(devices, keys, mostSessions),
      ...memoryIndexes(indexes, { now, maxLifetimeSeconds: sessionMaxLifetime, exists }),
      ...marksOf(marks, keys, now),
      aheadMs: () => 0,
      ping: async () => undefined,
      status: () => ({ ready: true, reason: undefined, note: memoryNote }),
      changes: changesOf(subscribe),
      close: async () => close(),
    }
  }
  return { ...open(undefined, options), close: async () => clearInterval(timer) }
}

const memoryNote = 'Sessions are kept in memory: lost at a restart, and not shared between processes.'

function changesOf(subscribe: SessionChanges['subscribe']): SessionChanges {
  return { isLive: () => true, epoch: () => 0, subscribe }
}

function readsOf(rows: Rows, keys: StoreKeys): Pick<SessionStore, 'read' | 'exist' | 'readFacts' | 'scan'> {
  const rowOf = (h: string): SessionRow | undefined => rows.get(keys.session(h))
  return {
    read: async (h) => rowOf(h),
    exist: async (hs) => hs.map((h) => rowOf(h) !== undefined),
    readFacts: async (hs) => hs.map(rowOf),
    async *scan() {
      const hs = rows.keys().flatMap((key) => {
        const { frontend, h } = readSessionKey(key) ?? {}
        return h !== undefined && frontend === keys.frontend && rows.get(key) !== undefined ? [h] : []
      })
      yield* piecesOf(hs, scanBatch)
    },
  }
}

/** What sessions were when their holders ended them, by the keys of that, with the attempt that did it. */
type TakenRows = ExpiringMap<TakenRow & { readonly attempt: string }>

interface Writing {
  readonly rows: Rows
  readonly taken: TakenRows
  readonly tell: (key: string) => void
  readonly mostSessions: number
}

function writesOf(
  { rows, taken, tell, mostSessions }: Writing,
  keys: StoreKeys,
): Pick<SessionStore, 'create' | 'replace' | 'touch' | 'delete' | 'deleteEach' | 'take' | 'readTaken'> {
  const write = (key: string, row: SessionRow, ttlMs: number): void => {
    if (ttlMs > 0) rows.set(key, row, ttlMs)
    else rows.delete(key)
    tell(key)
  }
  const remove = (key: string): boolean => {
    const existed = rows.delete(key)
    if (existed) tell(key)
    return existed
  }
  const readTaken = async (h: string, attempt: string): Promise<TakenRow | undefined> => {
    const before = taken.get(keys.taken(h))
    return before?.attempt === attempt ? before : undefined
  }
  return {
    async create(h, row, ttlMs) {
      const key = keys.session(h)
      const present = rows.get(key)
      if (present !== undefined) return present.writeId === row.writeId
      refuseWhenFull(rows, mostSessions)
      write(key, row, ttlMs)
      return true
    },
    async replace(h, expectedWriteId, next, maxTtlMs = Number.POSITIVE_INFINITY) {
      const key = keys.session(h)
      const row = rows.get(key)
      if (row === undefined) return 'gone'
      if (row.writeId === next.writeId) return 'replaced'
      if (row.writeId !== expectedWriteId) return 'conflict'
      write(key, { ...row, ...next }, Math.min(rows.ttlMs(key), maxTtlMs))
      return 'replaced'
    },
    async touch(h, lastSeenAtMs, ttlMs) {
      const key = keys.session(h)
      const row = rows.get(key)
      if (row === undefined) return false
      write(key, { ...row, lastSeenAtMs: Math.max(row.lastSeenAtMs, lastSeenAtMs) }, ttlMs)
      return true
    },
    delete: async (h) => remove(keys.session(h)),
    deleteEach: async (hs) =>
      hs.map((h) => {
        const key = keys.session(h)
        const row = rows.get(key)
        remove(key)
        return { existed: row !== undefined, sealedFacts: row?.sealedFacts }
      }),
    async take(h, attempt, keepMs) {
      const key = keys.session(h)
      const row = rows.get(key)
      if (row === undefined) return readTaken(h, attempt)
      taken.set(keys.taken(h), { attempt, sealedRecord: row.sealedRecord, writeId: row.writeId }, keepMs)
      remove(key)
      return row
    },
    readTaken,
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

function leasesOf(
  marks: Marks,
  { lease: keyOf }: StoreKeys,
): Pick<SessionStore, 'acquireLease' | 'renewLease' | 'releaseLease'> {
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
  keys: StoreKeys,
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
      const key = keys.usedState(stateHash)
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
    isTokenUsed: async (jtiHash) => marks.get(keys.usedTokenId(jtiHash)) !== undefined,
    recordTokenUse: async (jtiHash, ttlMs) => mark(keys.usedTokenId(jtiHash), now(), ttlMs),
    async count(counterKey, windowMs) {
      const key = keys.count(counterKey)
      const before = marks.get(key)
      if (before === undefined) mark(key, 1, windowMs)
      else marks.set(key, Number(before) + 1, marks.ttlMs(key))
      return Number(before ?? 0) + 1
    },
  }
}
