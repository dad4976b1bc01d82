import type { StoreKeys } from './keys.ts'

/**
 * What is kept of a session, as the store sees it: sealed bytes and plain numbers (DESIGN section 3.1). The store can open
 * nothing and decide nothing.
 */
export interface SessionRow {
  /** The record, sealed with the session's own key (field `d`). */
  readonly sealedRecord: Buffer
  /** Random write id, authenticated by the record's seal (field `v`). */
  readonly writeId: string
  /** The facts that others may need, sealed with `SESSION_SECRET` alone (field `m`). */
  readonly sealedFacts: Buffer
  /** Last activity, epoch milliseconds (field `t`). */
  readonly lastSeenAtMs: number
}

/** A member of an index: the hash of a session id, scored with its login's `iat`. */
export interface IndexMember {
  readonly h: string
  readonly issuedAtSeconds: number
}

/** What a store must know of the frontend whose sessions it keeps; the configuration fits as it is. */
export interface FrontendStoreOptions {
  /** `SESSION_MAX_LIFETIME`, seconds: index members older than this are pruned when their session is gone. */
  readonly sessionMaxLifetime: number
}

/** Which members of an index are read: one bounded piece. */
export interface IndexRange {
  /** The newest first; otherwise the oldest. Members of one second are in the order of their hashes, or in the reverse one. */
  readonly newestFirst?: boolean
  /** Only members issued then or before, whole seconds. */
  readonly upToSeconds?: number
  /** Members left out at the beginning. */
  readonly offset: number
  readonly count: number
}

/** What {@link SessionStore.take} has deleted: enough to open the record with the session's id. */
export type TakenRow = Pick<SessionRow, 'sealedRecord' | 'writeId'>

/** What one of several sessions was when {@link SessionStore.deleteEach} came to it. */
export interface DeletedRow {
  readonly existed: boolean
  /** Its facts; `undefined` where there were none. */
  readonly sealedFacts: Buffer | undefined
}

/** Result of {@link SessionStore.replace}; a fourth, "unknown", is the rejection with `session_store_unavailable`. */
export type ReplaceResult =
  /** Written, now or by an earlier attempt with the same new write id. */
  | 'replaced'
  /** The session no longer exists. */
  | 'gone'
  /** Somebody else wrote it in between. */
  | 'conflict'

/**
 * The session store. One contract, two implementations: Redis and memory. Every method rejects with `GatewayError`
 * `session_store_unavailable` when the store does not answer in time; a rejected write may still happen later.
 *
 * The four writes of a session are create, replace, touch and delete. Only create can make its key exist.
 */
export interface SessionStore {
  readonly kind: 'redis' | 'memory'
  /** The names under which this frontend keeps everything. */
  readonly keys: StoreKeys
  /**
   * The same store for another frontend: names of its own over the same connections and the same invalidation feed. Whoever opened the
   * store closes it; closing the one of a frontend only ends its share of the feed.
   *
   * @param frontend its name in `FRONTENDS_FILE`
   */
  forFrontend(frontend: string, options: FrontendStoreOptions): SessionStore

  /** Reads a session's row without its facts; `undefined` when there is none. */
  read(h: string): Promise<Omit<SessionRow, 'sealedFacts'> | undefined>
  /**
   * Which of these sessions exist, asked in bounded pieces. `undefined`: the part of the store that holds it does not answer; when no part
   * does, it rejects.
   */
  exist(hs: readonly string[]): Promise<readonly (boolean | undefined)[]>
  /** Facts and last activity of several sessions, asked in bounded pieces; `undefined` for those that do not exist. */
  readFacts(
    hs: readonly string[],
  ): Promise<readonly (Pick<SessionRow, 'sealedFacts' | 'lastSeenAtMs'> | undefined)[]>
  /** Every session, for the operator's list; in batches, without a guarantee about those that come and go meanwhile. */
  scan(): AsyncIterable<readonly string[]>

  /**
   * Callback only. Resolves to false, writing nothing, when the key already exists. Repeating it with the same write id is
   * safe.
   */
  create(h: string, row: SessionRow, ttlMs: number): Promise<boolean>
  /**
   * Refresh only: writes if the session still carries `expectedWriteId`. The TTL stays, or is shortened to `maxTtlMs`.
   * Repeating it with the same new write id is safe.
   */
  replace(
    h: string,
    expectedWriteId: string,
    next: Pick<SessionRow, 'sealedRecord' | 'writeId'> & { readonly sealedFacts?: Buffer },
    maxTtlMs?: number,
  ): Promise<ReplaceResult>
  /** Sets last activity to the later of the stored and the given one, and the TTL; does nothing when absent. */
  touch(h: string, lastSeenAtMs: number, ttlMs: number): Promise<boolean>
  /** Deletes; resolves to whether it existed, with the reservation of {@link SessionStore.deleteEach}. */
  delete(h: string): Promise<boolean>
  /**
   * Deletes several, in bounded pieces, and resolves to what each was. `undefined`: the part of the store that holds it does not answer; when
   * no part does, it rejects. The client of a Cluster asks again by itself when a connection is lost, and what the first attempt has deleted did
   * not exist for the second: sessions that did not exist are certainly gone, and may have been ended just now. Who must know asks before.
   */
  deleteEach(hs: readonly string[]): Promise<readonly (DeletedRow | undefined)[]>
  /**
   * Deletes, and resolves to what was deleted; `undefined` when there was nothing. Repeating it with the same `attempt` within `keepMs`
   * gives the same answer: what was deleted is kept, sealed as it was, until then.
   */
  take(h: string, attempt: string, keepMs: number): Promise<TakenRow | undefined>
  /** What an attempt to take has deleted, if it has; changes nothing. */
  readTaken(h: string, attempt: string): Promise<TakenRow | undefined>

  /**
   * Takes the refresh lease of a session: false when another owner holds it. The same owner may take it again, so every piece of
   * work needs an owner of its own.
   */
  acquireLease(h: string, owner: string, ttlMs: number): Promise<boolean>
  /** Extends our own lease: false when it is no longer ours. */
  renewLease(h: string, owner: string, ttlMs: number): Promise<boolean>
  /** Gives our own lease back (compare and delete). */
  releaseLease(h: string, owner: string): Promise<void>

  /**
   * Notes that a challenge was answered by a session's device, which keeps the device alive for `ttlMs`. False, changing nothing, when it was
   * answered before.
   */
  markDevice(h: string, challenge: string, ttlMs: number): Promise<boolean>
  /**
   * For how long the devices of these sessions are still alive, milliseconds, 0 when they are not; asked in bounded pieces. `undefined`: the
   * part of the store that holds it does not answer; when no part does, it rejects.
   */
  deviceLivesMs(hs: readonly string[]): Promise<readonly (number | undefined)[]>

  /** Adds a session to an index, keeps the index at least `ttlMs`, and prunes members that have outlived every session. */
  addToIndex(indexKey: string, member: IndexMember, ttlMs: number): Promise<void>
  removeFromIndex(indexKey: string, hs: readonly string[]): Promise<void>
  /** Takes one member out of each of several indexes, in bounded pieces. */
  removeFromIndexes(members: readonly (readonly [indexKey: string, h: string])[]): Promise<void>
  /** One piece of an index. */
  readIndex(indexKey: string, range: IndexRange): Promise<readonly IndexMember[]>

  /** Redeems a login transaction once. `timeMs` is the store's own clock at that moment. */
  redeemState(
    stateHash: string,
    ttlMs: number,
  ): Promise<{ readonly redeemed: boolean; readonly timeMs: number }>
  /** Writes a tombstone that holds the store's own clock. */
  writeTombstone(tombstoneKey: string, ttlMs: number): Promise<void>
  /** When each tombstone was written, by the store's clock, epoch milliseconds; `undefined` where there is none. */
  readTombstones(tombstoneKeys: readonly string[]): Promise<readonly (number | undefined)[]>
  /** Whether a logout token was executed already. */
  isTokenUsed(jtiHash: string): Promise<boolean>
  /** Records an executed logout token. */
  recordTokenUse(jtiHash: string, ttlMs: number): Promise<void>

  /** Counts an event in a fixed window, for limits by session and user; resolves to the count in this window. */
  count(counterKey: string, windowMs: number): Promise<number>

  /**
   * How far the store's clock is ahead of this process's, milliseconds, as it was measured last; 0 while they agree. By the store's clock is
   * reckoned what nodes must agree on more closely than their own clocks may.
   */
  aheadMs(): number
  /** Resolves when the store answers. */
  ping(): Promise<void>
  /** Whether the store answered lately. `reason` names no host. */
  status(): {
    readonly ready: boolean
    readonly reason: string | undefined
    readonly note: string | undefined
  }
  /** Changes made anywhere. */
  readonly changes: SessionChanges
  /** Closes connections; pending commands are finished or rejected. */
  close(): Promise<void>
}

/** The invalidation feed: which sessions were written or ended, by any node or operator (DESIGN section 3.4). */
export interface SessionChanges {
  /** True only while every change is certain to be heard. While false nothing may be cached. */
  isLive(): boolean
  /** Grows whenever the feed was interrupted; a read that crosses a change of it must not be cached. */
  epoch(): number
  /**
   * Listens. `h` is the session that changed; `undefined` means "anything may have changed" (feed lost or regained,
   * FLUSHALL). Returns a function that stops it.
   */
  subscribe(listener: (h: string | undefined) => void): () => void
}
