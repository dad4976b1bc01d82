import type { Metrics } from '../../telemetry/measures/metrics.ts'
import { hashSessionId, isSessionId } from '../record/keys.ts'
import { isEnded, type SessionLimits, type SessionView } from '../record/session.ts'
import type { ReadTicket, SessionCache } from './cache.ts'

/** The proxy's way to a session. */
export interface Lookup {
  /** From the cache without a promise, else from the store, one read for all who ask at the same time. */
  find(untrustedId: string): SessionView | undefined | Promise<SessionView | undefined>
}

/** What the lookup needs. */
export interface LookupDependencies {
  readonly cache: SessionCache
  /** Reads from the store; `undefined`: no live session. */
  readonly readView: (id: string, h: string) => Promise<SessionView | undefined>
  readonly limits: SessionLimits
  readonly metrics: Pick<Metrics, 'sessionCache'>
  readonly now: () => number
}

interface SharedRead {
  readonly ticket: ReadTicket
  readonly view: Promise<SessionView | undefined>
}

/** Makes the lookup. Hashing an id costs less than remembering its hash, so ids are kept nowhere. */
export function createLookup({ cache, readView, limits, metrics, now }: LookupDependencies): Lookup {
  const reads = new Map<string, SharedRead>()
  const read = (id: string, h: string): Promise<SessionView | undefined> => {
    const ticket = cache.beginRead(h)
    const view = readView(id, h).then(
      (found) => {
        cache.endRead(ticket, found)
        return found
      },
      (error: unknown) => {
        cache.endRead(ticket, undefined)
        throw error
      },
    )
    share({ ticket, view })
    return view
  }
  const share = (shared: SharedRead): void => {
    const { h, isCurrent } = shared.ticket
    if (!isCurrent) return
    const forget = (): void => {
      if (reads.get(h) === shared) reads.delete(h)
    }
    reads.set(h, shared)
    shared.view.then(forget, forget)
  }
  return {
    find(untrustedId) {
      if (!isSessionId(untrustedId)) return undefined
      const h = hashSessionId(untrustedId)
      const cached = cache.get(h)
      // One that looks idle may have been used on another node a moment ago: the store decides.
      if (cached !== undefined && !isEnded(cached, limits, now())) {
        metrics.sessionCache('hit')
        return cached
      }
      metrics.sessionCache(cache.isOpen() ? 'miss' : 'bypass')
      const shared = reads.get(h)
      // Who comes after a change must not be told what was read before it.
      return shared?.ticket.isCurrent === true ? shared.view : read(untrustedId, h)
    },
  }
}
