import { newWriteId } from '../../record/keys.ts'
import type { SessionStore } from '../../store/contract.ts'

/** Renewed this many times within its life, so that two lost renewals in a row do no harm. */
const renewalsInLife = 3

type LeaseStore = Pick<SessionStore, 'acquireLease' | 'renewLease' | 'releaseLease'>

/** The right to refresh one session, held by one piece of work on one node. */
export interface Lease {
  /**
   * Takes it and renews it from then on. False: somebody else has it.
   * @throws GatewayError `session_store_unavailable`
   */
  acquire(): Promise<boolean>
  /**
   * Whether it is ours for certain: by the last renewal, else by asking. When it ran out and nobody took it, it is taken again.
   * @throws GatewayError `session_store_unavailable`
   */
  confirm(): Promise<boolean>
  /** Stops renewing and gives it back. Never rejects: one that cannot be given back runs out. */
  release(): Promise<void>
}

/**
 * Makes a lease that is not held yet. Its age is measured on the monotonic clock: a corrected wall clock must not make a lost
 * lease look held.
 *
 * @param ttlMs longer than a grant may take
 */
export function createLease(store: LeaseStore, h: string, ttlMs: number): Lease {
  const owner = newWriteId()
  let certainUntilMs = 0
  let timer: NodeJS.Timeout | undefined

  const hold = async (take: LeaseStore['acquireLease']): Promise<boolean> => {
    const askedAtMs = performance.now()
    const isOurs = await take(h, owner, ttlMs)
    certainUntilMs = isOurs ? askedAtMs + ttlMs : 0
    return isOurs
  }
  const acquire = (): Promise<boolean> => hold(store.acquireLease)
  const renew = (): void => {
    // A failure here is found by confirm(), which everything that matters asks first.
    hold(store.renewLease).catch(() => undefined)
  }
  return {
    async acquire() {
      const isOurs = await acquire()
      if (isOurs) timer ??= setInterval(renew, ttlMs / renewalsInLife).unref()
      return isOurs
    },
    async confirm() {
      // With half of it left nothing that is begun now is begun without it.
      if (performance.now() < certainUntilMs - ttlMs / 2) return true
      return (await hold(store.renewLease)) || acquire()
    },
    async release() {
      clearInterval(timer)
      timer = undefined
      await store.releaseLease(h, owner).catch(() => undefined)
    },
  }
}
