import { LRUCache } from 'lru-cache'
import type { SessionView } from '../record/session.ts'
import type { SessionChanges } from '../store/contract.ts'

/** The proved upper bound on how long a change can go unnoticed, whatever the invalidation channel does; milliseconds. */
const longestLifeMs = 10_000
/** What the tokens of a session may take on average: with longer ones there is room for fewer sessions. Characters, a byte each. */
const tokenRoom = 4_096
/** What an entry takes beside its tokens, so that the sum stays an estimate of memory; bytes. */
const entryBytes = 512

/** A read of the store under way; only one that nothing crossed may be cached. */
export interface ReadTicket {
  readonly h: string
  /** Whether neither the session changed nor the channel was interrupted since the read began. */
  isCurrent: boolean
}

/** Views of sessions in this process (DESIGN section 3.4). */
export interface SessionCache {
  /** Whether the channel is alive now; while it is not, nothing is cached and nothing cached is used. */
  isOpen(): boolean
  get(h: string): SessionView | undefined
  /** Notes that a read begins, before it begins. */
  beginRead(h: string): ReadTicket
  /** Keeps what was read, unless something crossed the read. `undefined`: there was nothing. */
  endRead(ticket: ReadTicket, view: SessionView | undefined): void
  /** Replaces a cached view after our own touch. */
  noteActivity(h: string, lastSeenAtMs: number): void
  /** Forgets a session, reads under way included. */
  evict(h: string): void
}

/** What the cache needs. */
export interface SessionCacheDependencies {
  readonly changes: SessionChanges
  readonly now: () => number
}

interface Entry {
  readonly view: SessionView
  readonly untilMs: number
  /** Which cache it is in, and since when: everything else in the room is not there for it. */
  readonly owner: object
}

/** Room for the cached sessions of a process, which all its frontends share. */
export interface CacheRoom {
  /** Most sessions; 0 turns caching off. */
  readonly size: number
  readonly entries: LRUCache<string, Entry>
}

/**
 * Makes room for at most `size` sessions. No two frontends have sessions of one hash, because ids are random: a hash is key enough.
 */
export function createCacheRoom(size: number): CacheRoom {
  const most = Math.max(1, size)
  return {
    size,
    entries: new LRUCache<string, Entry>({
      max: most,
      maxSize: most * (tokenRoom + entryBytes),
      sizeCalculation: ({ view }) => bytesOf(view),
    }),
  }
}

function bytesOf({ access }: SessionView): number {
  return Object.values(access).reduce((sum, { value }) => sum + value.length, entryBytes)
}

/** Makes an empty cache of one frontend's sessions in this room. It listens to changes as long as the store lives. */
export function createSessionCache(
  { size, entries }: CacheRoom,
  { changes, now }: SessionCacheDependencies,
): SessionCache {
  const reads = new Map<string, ReadTicket>()
  let epoch = changes.epoch()
  let owner: object = {}

  const crossAll = (): void => {
    // What was there belongs to nobody from now on, and goes when its place is needed.
    owner = {}
    for (const ticket of reads.values()) ticket.isCurrent = false
    reads.clear()
  }
  const evict = (h: string): void => {
    entries.delete(h)
    const ticket = reads.get(h)
    if (ticket === undefined) return
    ticket.isCurrent = false
    reads.delete(h)
  }
  /** Asked at every use instead of trusting that each interruption was told. */
  const isOpen = (): boolean => {
    if (size === 0) return false
    if (epoch !== changes.epoch()) {
      epoch = changes.epoch()
      crossAll()
    }
    return changes.isLive()
  }

  if (size > 0) changes.subscribe((h) => (h === undefined ? crossAll() : evict(h)))
  return {
    isOpen,
    evict,
    get(h) {
      if (!isOpen()) return undefined
      const entry = entries.get(h)
      if (entry === undefined || entry.owner !== owner) return undefined
      if (now() < entry.untilMs) return entry.view
      entries.delete(h)
      return undefined
    },
    beginRead(h) {
      const ticket: ReadTicket = { h, isCurrent: isOpen() }
      if (ticket.isCurrent) reads.set(h, ticket)
      return ticket
    },
    endRead(ticket, view) {
      const mayKeep = isOpen() && ticket.isCurrent
      if (reads.get(ticket.h) === ticket) reads.delete(ticket.h)
      if (!mayKeep || view === undefined) return
      entries.set(ticket.h, { view, untilMs: Math.min(now() + longestLifeMs, view.endsAtMs), owner })
    },
    noteActivity(h, lastSeenAtMs) {
      const entry = entries.peek(h)
      if (entry === undefined || entry.view.lastSeenAtMs >= lastSeenAtMs) return
      entries.set(h, { ...entry, view: { ...entry.view, lastSeenAtMs } })
    },
  }
}
