import type { GatewayError } from '../../errors/gateway-error.ts'
import type { AccessToken, ApiAudience } from '../../oidc/tokens/token-set.ts'
import type { OpenSession } from '../lifecycle/sessions.ts'
import type { SessionStore } from '../store/contract.ts'
import { type RecordChange, writeChange } from './change.ts'
import { notSettled, takesTooLong } from './failing/errors.ts'
import { createLimiter } from './failing/limiter.ts'
import { type GrantDependencies, serveWant } from './grant.ts'
import type { PutAside } from './granted.ts'
import { createLease, type Lease } from './lease/lease.ts'
import { waitForLease } from './lease/lease-wait.ts'

import { createWant, createWantedChange, type Want, type WantedChange, type Wish, wantKey } from './want.ts'

/** Refresh grants that one process has under way at the same time: a storm of expiries must not become one at the provider. */
const mostGrants = 32

/** All refreshes of this process: at most one piece of work per session, whatever how many requests want of it. */
export interface Refreshes {
  /** Resolves when the wish is fulfilled; several requests with one wish share one answer. */
  want(id: string, h: string, audience: ApiAudience, wish: Wish): Promise<AccessToken>
  /** Writes a change of the record inside the session's lease; resolves to what the session is then. */
  update(id: string, h: string, change: RecordChange): Promise<OpenSession>
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
  /** Served before the wants. */
  changes: readonly WantedChange[]
  /** Something takes long: everything that comes is answered with this at once, unless it gives itself up now. */
  aside: { readonly error: GatewayError; readonly givesUp: () => boolean } | undefined
  finished: Promise<void>
}

/** Makes what serves the work on a session until nothing of it is left. */
function serving(dependencies: RefreshesDependencies, times: LeaseTimes): (work: Work) => Promise<void> {
  const limiter = createLimiter(mostGrants)

  const serveAll = async (work: Work, lease: Lease): Promise<void> => {
    const leave = once(await waitForLease({ ...dependencies, ...times, limiter, lease, work }))
    // What is put aside takes nobody's place.
    const putAside: PutAside = (error, givesUp = () => false) => {
      leave()
      setAside(work, error, givesUp)
    }
    try {
      for (;;) {
        const [change] = work.changes
        const [want] = work.wants
        if (change !== undefined) await serveChange(work, change, lease, putAside)
        else if (want !== undefined) await serveOne(work, want, lease, putAside)
        else break
      }
    } finally {
      leave()
    }
  }
  const serveChange = async (
    work: Work,
    wanted: WantedChange,
    lease: Lease,
    putAside: PutAside,
  ): Promise<void> => {
    try {
      const unsettled = (): void => putAside(notSettled())
      wanted.resolve(await applyChange(dependencies, work, wanted.change, lease, unsettled))
    } catch (error) {
      wanted.reject(error)
    }
    answered(work, wanted)
  }
  const serveOne = async (work: Work, want: Want, lease: Lease, putAside: PutAside): Promise<void> => {
    try {
      want.resolve(await serveWant(dependencies, { ...work, want, lease, putAside }))
    } catch (error) {
      want.reject(error)
    }
    answered(work, want)
  }
  return async (work) => {
    while (isLeft(work)) {
      const lease = createLease(dependencies.store, work.h, times.leaseMs)
      await serveAll(work, lease).catch((error: unknown) => rejectAll(work, error))
      await lease.release()
    }
  }
}

/** Makes the refreshes of a process. */
export function createRefreshes(dependencies: RefreshesDependencies, times: LeaseTimes): Refreshes {
  const works = new Map<string, Work>()
  const serve = serving(dependencies, times)
  const run = async (work: Work): Promise<void> => {
    // What comes while the last of it ends is served as well.
    while (isLeft(work)) await serve(work)
    works.delete(work.h)
  }
  const workFor = (id: string, h: string): Work => {
    const known = works.get(h)
    if (known !== undefined) return known
    return { id, h, wants: [], changes: [], aside: undefined, finished: Promise.resolve() }
  }
  const start = (work: Work): void => {
    if (works.has(work.h)) return
    works.set(work.h, work)
    work.finished = run(work)
  }
  return {
    async want(id, h, audience, wish) {
      await notAside(works.get(h))
      const work = workFor(id, h)
      const key = wantKey(audience, wish)
      const known = work.wants.find((each) => each.key === key)
      if (known !== undefined) return known.token
      const want = createWant(audience, wish)
      work.wants = [...work.wants, want]
      start(work)
      return want.token
    },
    async update(id, h, change) {
      await notAside(works.get(h))
      const work = workFor(id, h)
      const wanted = createWantedChange(change)
      work.changes = [...work.changes, wanted]
      start(work)
      return wanted.session
    },
    isUnderWay: (h) => works.has(h),
    async drained() {
      while (works.size > 0) await Promise.all([...works.values()].map(({ finished }) => finished))
    },
  }
}

function once(work: () => void): () => void {
  let isDone = false
  return () => {
    if (!isDone) work()
    isDone = true
  }
}

function isLeft({ wants, changes }: Work): boolean {
  return wants.length > 0 || changes.length > 0
}

/** What was put aside goes on: whoever comes is told so, unless its time is over. */
async function notAside(work: Work | undefined): Promise<void> {
  const aside = work?.aside
  if (aside === undefined) return
  if (!aside.givesUp()) throw aside.error
  await work?.finished
}

/** What was served is done; when it was put aside, so was everything else. */
function answered(work: Work, served: Want | WantedChange): void {
  work.wants = work.aside !== undefined ? [] : work.wants.filter((each) => each !== served)
  work.changes = work.aside !== undefined ? [] : work.changes.filter((each) => each !== served)
  work.aside = undefined
}

/** Everybody who waits is told, while the work goes on. */
function setAside(work: Work, error: GatewayError, givesUp: () => boolean): void {
  work.aside = { error, givesUp }
  for (const each of [...work.wants, ...work.changes]) each.reject(error)
}

function rejectAll(work: Work, error: unknown): void {
  for (const each of [...work.wants, ...work.changes]) each.reject(error)
  work.wants = []
  work.changes = []
}

async function applyChange(
  dependencies: RefreshesDependencies,
  { id, h }: Work,
  change: RecordChange,
  lease: Lease,
  unsettled: () => void,
): Promise<OpenSession> {
  const { records, endings } = dependencies
  if (!(await lease.confirm())) throw takesTooLong()
  const session = await records.open(id)
  if (session === undefined) throw endings.errorOf(h)
  const result = await writeChange(dependencies, session, change, unsettled)
  if (result.kind === 'gone') throw endings.errorOf(h)
  return result.session
}
