import { mapInTurns } from '../../basics/in-turns.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { Sealer } from '../../sealing/sealer.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import { type CacheRoom, createCacheRoom, createSessionCache } from '../lifecycle/cache.ts'
import { createSessionIndexes, type SessionIndexes } from '../lifecycle/indexes.ts'
import { createLookup, type Lookup } from '../lifecycle/lookup.ts'
import type { OpenSession } from '../lifecycle/sessions.ts'
import type { DeletedRow, SessionRow, SessionStore, TakenRow } from '../store/contract.ts'
import { createIndexKeys, hashSessionId, isSessionId } from './keys.ts'
import { createRecordSeal, type RecordSeal } from './record.ts'
import { createReferences, type References } from './references.ts'
import {
  isEnded,
  type SessionFacts,
  type SessionLimits,
  type SessionRecord,
  type SessionView,
  sessionLimits,
  ttlMs,
} from './session.ts'
import { viewOf } from './view.ts'
import {
  type PreparedReplace,
  prepareReplace,
  type RecordWriting,
  type StoredSession,
  sealRow,
} from './writes.ts'

/** How long an unanswered end may be asked about again, milliseconds. */
const takenLifeMs = 60_000

/** Settings of sessions; the configuration fits as it is. */
export interface SessionOptions {
  /** `ISSUER_URL`, exact: records of another issuer are no sessions. */
  readonly issuerUrl: string
  readonly clientId: string
  /** Seconds. */
  readonly sessionIdleTimeout: number
  /** Seconds. */
  readonly sessionMaxLifetime: number
  readonly sessionCache: boolean
  /** A route reads who signed in: the proxy's view of a session has it then. */
  readonly keepsIdentity?: boolean
  /** Most sessions in the cache. */
  readonly sessionCacheSize: number
}

/** What sessions are made of. */
export interface SessionRecordsDependencies {
  readonly store: SessionStore
  readonly sealer: Sealer
  readonly telemetry: Pick<Telemetry, 'metrics'>
  readonly now: () => number
  /** Where frontends share one; by default it has its own, as large as the settings say. */
  readonly cacheRoom?: CacheRoom
}

/**
 * Session records over a store: opened and sealed, cached, indexed. The four writes of a session happen here and nowhere else.
 * Everything that asks the store rejects with `session_store_unavailable` when it does not answer.
 */
export interface SessionRecords extends Pick<Lookup, 'find'> {
  readonly limits: SessionLimits
  readonly indexes: SessionIndexes
  readonly references: References
  /** Always from the store; `undefined`: no live session. */
  open(untrustedId: string): Promise<StoredSession | undefined>
  /** `undefined`, writing nothing, when a session of this id exists. The index members must be there already. */
  create(id: string, record: SessionRecord): Promise<OpenSession | undefined>
  /** Seals `next` for the place of what was read. */
  prepareReplace(session: StoredSession, next: SessionRecord): PreparedReplace
  /** Sets last activity; false when the session is gone. */
  touch(view: SessionView, atMs: number): Promise<boolean>
  /** Deletes; resolves to whether it existed. */
  delete(h: string): Promise<boolean>
  /** Deletes several, in bounded pieces, and says what each was; `undefined`: the part of the store that holds it does not answer. */
  deleteEach(hs: readonly string[]): Promise<readonly (DeletedSession | undefined)[]>
  /**
   * Deletes a session whose id is at hand, and resolves to the record that was deleted, which may be newer than the one that was read;
   * `undefined` when there was none. The same attempt may be repeated within a minute and says the same.
   */
  take(session: OpenSession, attempt: string): Promise<SessionRecord | undefined>
  /** What an attempt to take has deleted, if it has; changes nothing. */
  readTaken(session: OpenSession, attempt: string): Promise<SessionRecord | undefined>
  /** Facts and last activity, for those that exist and can be read. */
  facts(hs: readonly string[]): Promise<readonly (StoredFacts | undefined)[]>
}

/** What became of one of several sessions that were deleted. */
export interface DeletedSession {
  readonly existed: boolean
  /** `undefined`: it did not exist, or these settings cannot open it. */
  readonly facts: SessionFacts | undefined
}

/** Facts as they were read. */
export interface StoredFacts extends SessionFacts {
  readonly lastSeenAtMs: number
}

/** Makes the records of one issuer and client. Sessions and access tokens of a process share one. */
export function createSessionRecords(
  options: SessionOptions,
  dependencies: SessionRecordsDependencies,
): SessionRecords {
  const { store, sealer, telemetry, now } = dependencies
  const limits = sessionLimits(options)
  const seal = createRecordSeal({ sealer, issuer: options.issuerUrl, clientId: options.clientId })
  const references = createReferences(sealer)
  const indexes = createSessionIndexes({ store, keys: createIndexKeys(sealer, store.keys), now })
  const writing: RecordWriting = { store, seal, indexes, now }
  const room = dependencies.cacheRoom ?? createCacheRoom(options.sessionCache ? options.sessionCacheSize : 0)
  const cache = createSessionCache(room, { changes: store.changes, now })
  const keepsIdentity = options.keepsIdentity === true
  const read = readerOf({ keepsIdentity, store, seal, references, limits, now })
  const readView = async (id: string, h: string): Promise<SessionView | undefined> =>
    (await read(id, h))?.view
  const { find } = createLookup({ cache, readView, limits, metrics: telemetry.metrics, now })
  return {
    limits,
    indexes,
    references,
    find,
    open: async (id) => (isSessionId(id) ? read(id, hashSessionId(id)) : undefined),
    async create(id, record) {
      const h = hashSessionId(id)
      const row = sealRow(writing, id, h, record, now())
      const created = await store.create(h, row, ttlMs(record.endsAtMs, limits, now()))
      return created ? { id, record, view: viewOf(references, h, row, record, keepsIdentity) } : undefined
    },
    prepareReplace(session, next) {
      const replace = prepareReplace(writing, session, next)
      return () => replace().finally(() => cache.evict(session.view.h))
    },
    async touch(view, atMs) {
      const touched = await store.touch(view.h, atMs, ttlMs(view.endsAtMs, limits, atMs))
      if (touched) cache.noteActivity(view.h, atMs)
      else cache.evict(view.h)
      return touched
    },
    delete: (h) => store.delete(h).finally(() => cache.evict(h)),
    async deleteEach(hs) {
      const evictAll = (): void => {
        for (const h of hs) cache.evict(h)
      }
      const rows = await store.deleteEach(hs).finally(evictAll)
      return mapInTurns(rows, (row, at) => toDeleted(seal, hs[at] ?? '', row))
    },
    async take({ id, view: { h } }, attempt) {
      const taken = await store.take(h, attempt, takenLifeMs).finally(() => cache.evict(h))
      return openTaken(seal, id, h, taken)
    },
    async readTaken({ id, view: { h } }, attempt) {
      return openTaken(seal, id, h, await store.readTaken(h, attempt))
    },
    async facts(hs) {
      const rows = await store.readFacts(hs)
      return mapInTurns(rows, (row, at) => toFacts(seal, hs[at] ?? '', row))
    },
  }
}

function openTaken(
  seal: RecordSeal,
  id: string,
  h: string,
  taken: TakenRow | undefined,
): SessionRecord | undefined {
  const opened = taken === undefined ? undefined : seal.open(id, h, taken)
  return opened?.kind === 'record' ? opened.record : undefined
}

interface Reading {
  readonly keepsIdentity: boolean
  readonly store: SessionStore
  readonly seal: RecordSeal
  readonly references: References
  readonly limits: SessionLimits
  readonly now: () => number
}

function readerOf({ keepsIdentity, store, seal, references, limits, now }: Reading) {
  return async (id: string, h: string): Promise<StoredSession | undefined> => {
    const row = await store.read(h)
    if (row === undefined) return undefined
    const opened = seal.open(id, h, row)
    if (opened.kind === 'newer') throw newerRecord()
    if (opened.kind === 'none') return undefined
    const view = viewOf(references, h, row, opened.record, keepsIdentity)
    return isEnded(view, limits, now()) ? undefined : { id, view, record: opened.record, stale: opened.stale }
  }
}

/** A node that is being replaced by a newer one must not log anybody out. */
function newerRecord(): GatewayError {
  return new GatewayError('session_store_unavailable', {
    context: { reason: 'a session was written by a newer version of the gateway' },
  })
}

function toDeleted(seal: RecordSeal, h: string, row: DeletedRow | undefined): DeletedSession | undefined {
  if (row === undefined) return undefined
  const { existed, sealedFacts } = row
  return { existed, facts: sealedFacts === undefined ? undefined : seal.openFacts(h, sealedFacts) }
}

function toFacts(
  seal: RecordSeal,
  h: string,
  row: Pick<SessionRow, 'sealedFacts' | 'lastSeenAtMs'> | undefined,
): StoredFacts | undefined {
  const facts = row === undefined ? undefined : seal.openFacts(h, row.sealedFacts)
  return row === undefined || facts === undefined ? undefined : { ...facts, lastSeenAtMs: row.lastSeenAtMs }
}
