import type { SessionStore } from '../../store/contract.ts'
import { takesTooLong } from '../failing/errors.ts'
import type { Limiter } from '../failing/limiter.ts'
import type { GrantDependencies } from '../grant.ts'
import type { Want } from '../want.ts'
import type { Lease } from './lease.ts'

/** Pauses between looks at somebody else's lease grow from the first to the second, milliseconds. */
const firstPauseMs = 25
const longestPauseMs = 250

/** What waits for the lease of a session. */
export interface WaitingWork {
  readonly id: string
  readonly h: string
  wants: readonly Want[]
  /** What is to be written, which nobody else's work can make unnecessary. */
  readonly changes: readonly unknown[]
}

/** What waiting for a lease needs. */
export interface LeaseWaitDependencies extends Pick<GrantDependencies, 'records' | 'endings' | 'now'> {
  readonly store: Pick<SessionStore, 'changes'>
  readonly limiter: Limiter
  readonly lease: Lease
  readonly work: WaitingWork
  readonly patienceMs: number
}

/**
 * Takes the lease, or waits until the work of whoever holds it has made that unnecessary; then no want is left.
 *
 * @returns what gives back the place among this process's grants; nobody who only waits takes one
 * @throws GatewayError `provider_unavailable` when it takes too long, `session_store_unavailable`
 */
export async function waitForLease(dependencies: LeaseWaitDependencies): Promise<() => void> {
  const { limiter, lease, work, patienceMs } = dependencies
  const startedAtMs = performance.now()
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    const leave = await limiter.enter()
    const isOurs = await lease.acquire().catch((error: unknown) => {
      leave()
      throw error
    })
    if (isOurs) return leave
    leave()
    if (performance.now() - startedAtMs > patienceMs) throw takesTooLong()
    await changeOf(work.h, dependencies.store.changes, pauseMs)
    await takeOver(dependencies)
    if (work.wants.length === 0 && work.changes.length === 0) return () => undefined
  }
}

/** Resolves when the session changes, at the latest after the pause: the channel is a shortcut, nothing depends on it. */
function changeOf(h: string, changes: SessionStore['changes'], pauseMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stop()
      clearTimeout(timer)
      resolve()
    }
    const stop = changes.subscribe((changed) => {
      if (changed === h) done()
    })
    const timer = setTimeout(done, pauseMs)
  })
}

/** Answers the wants that the other's work has fulfilled. */
async function takeOver({ records, endings, now, work }: LeaseWaitDependencies): Promise<void> {
  const session = await records.open(work.id)
  if (session === undefined) throw endings.errorOf(work.h)
  const isLeft = (want: Want): boolean => {
    const token = session.record.tokens.access[want.audience.key]
    if (token === undefined || !want.isFulfilledBy(token, now())) return true
    want.resolve(token)
    return false
  }
  work.wants = work.wants.filter(isLeft)
}
