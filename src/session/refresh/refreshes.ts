import type { AccessToken, ApiAudience } from '../../oidc/tokens/token-set.ts'
import type { SessionStore } from '../store/contract.ts'
import { notSettled } from './errors.ts'
import { type GrantDependencies, serveWant } from './grant.ts'
import { createLease, type Lease } from './lease.ts'
import { waitForLease } from './lease-wait.ts'
import { createLimiter } from './limiter.ts'
import { createWant, type Want, type Wish, wantKey } from './want.ts'

/** Refresh grants that one process has under way at the same time: a storm of expiries must not become one at the provider. */
const mostGrants = 32

/** All refreshes of this process: at most one piece of work per session, whatever how many requests want of it. */
export interface Refreshes {
  /** Resolves when the wish is fulfilled; several requests with one wish share one answer. */
  want(id: string, h: string, audience: ApiAudience, wish: Wish): Promise<AccessToken>
  /** Whether something is under way for this session. */
  isUnderWay(h: string): boolean
  drained(): Promise<void>
}

/** What refreshes need. */
export interface RefreshesDependencies extends GrantDependencies {
  readonly store: Pick<SessionStore, 'acquireLease' | 'renewLease' | 'releaseLease' | 'changes'>
}

/** Life of the refresh lease and patience with somebody else's, milliseconds. */
export interface LeaseTimes {
  /** Longer than a grant may take; renewed while the work lasts. */
  readonly leaseMs: number
  /** Longer than the lease, so that the lease of a node that died is taken over by those who wait. */
  readonly patienceMs: number
}

/** The refresh of one session: a queue of wants that are served one after the other. */
interface Work {
  readonly id: string
  readonly h: string
  /** The first one is being served. */
  wants: readonly Want[]
  /** A write's result is not known yet: everything that comes is answered at once. */
  isUnsettled: boolean
  finished: Promise<void>
}

/** Makes the refreshes of a process. */
export function createRefreshes(dependencies: RefreshesDependencies, times: LeaseTimes): Refreshes {
  const works = new Map<string, Work>()
  const limiter = createLimiter(mostGrants)

  const run = async (work: Work): Promise<void> => {
    while (work.wants.length > 0) {
      const lease = createLease(dependencies.store, work.h, times.leaseMs)
      await serveAll(work, lease).catch((error: unknown) => rejectAll(work, error))
      await lease.release()
    }
    works.delete(work.h)
  }
  const serveAll = async (work: Work, lease: Lease): Promise<void> => {
    const leave = await waitForLease({ ...dependencies, ...times, limiter, lease, work })
    try {
      for (let want = work.wants[0]; want !== undefined; want = work.wants[0]) {
        await serveOne(work, want, lease)
      }
    } finally {
      leave()
    }
  }
  const serveOne = async (work: Work, want: Want, lease: Lease): Promise<void> => {
    const unsettled = (): void => {
      work.isUnsettled = true
      for (const each of work.wants) each.reject(notSettled())
    }
    try {
      want.resolve(await serveWant(dependencies, { ...work, want, lease, unsettled }))
    } catch (error) {
      want.reject(error)
    }
    const answered = work.isUnsettled ? work.wants : [want]
    work.isUnsettled = false
    work.wants = work.wants.filter((each) => !answered.includes(each))
  }
  const workFor = (id: string, h: string): Work => {
    const known = works.get(h)
    if (known !== undefined) return known
    const work: Work = { id, h, wants: [], isUnsettled: false, finished: Promise.resolve() }
    works.set(h, work)
    return work
  }
  return {
    async want(id, h, audience, wish) {
      const isNew = !works.has(h)
      const work = workFor(id, h)
      if (work.isUnsettled) throw notSettled()
      const key = wantKey(audience, wish)
      const known = work.wants.find((each) => each.key === key)
      if (known !== undefined) return known.token
      const want = createWant(audience, wish)
      work.wants = [...work.wants, want]
      if (isNew) work.finished = run(work)
      return want.token
    },
    isUnderWay: (h) => works.has(h),
    async drained() {
      while (works.size > 0) await Promise.all([...works.values()].map(({ finished }) => finished))
    },
  }
}

function rejectAll(work: Work, error: unknown): void {
  for (const want of work.wants) want.reject(error)
  work.wants = []
}
