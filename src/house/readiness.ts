import {
  type Check,
  type CheckReadiness,
  checkProcess,
  createStoreCheck,
  type ReadinessContext,
} from '../http/health/readiness.ts'
import type { IssuerReport } from './issuers.ts'

/** What the readiness of a process with several frontends depends on. */
export interface HouseReadinessContext extends Pick<ReadinessContext, 'store' | 'isDraining'> {
  /** What the tries of all issuers have brought. */
  issuers(): IssuerReport
  /** Every frontend by name, with what it says of its provider itself; `undefined` while it is not put together. */
  frontends(): Iterable<
    readonly [string, { readonly ready: boolean; readonly reason: string | undefined } | undefined]
  >
}

/**
 * Readiness: the process is not shutting down, the store answers, each issuer was tried once, and at least one was found. One provider's
 * outage makes no other frontend unready.
 */
export function createHouseReadiness(context: HouseReadinessContext): CheckReadiness {
  const checkStore = createStoreCheck(context.store)
  return async (forTraffic) => {
    const store = await checkStore(forTraffic)
    const { isComplete, problems } = context.issuers()
    const frontends = Object.fromEntries(
      [...context.frontends()].map(([name, own]) => [name, checkFrontend(own, problems[name])]),
    )
    const isOneFound = Object.values(frontends).some(({ ready }) => ready)
    const checks = {
      process: checkProcess(context),
      provider: checkProviders(isComplete, isOneFound),
      store: store.check,
    }
    const ready = checks.process.ready && checks.provider.ready && store.passes
    return { ready, checks, frontends }
  }
}

function checkProviders(isComplete: boolean, isOneFound: boolean): Check {
  if (!isComplete) return { ready: false, reason: 'not every issuer has been tried yet' }
  return isOneFound ? { ready: true } : { ready: false, reason: 'no issuer was found' }
}

function checkFrontend(
  own: { readonly ready: boolean; readonly reason: string | undefined } | undefined,
  problem: string | null | undefined,
): Check {
  if (own?.ready === true || problem === null) return { ready: true }
  return { ready: false, reason: own?.reason ?? problem ?? 'its issuer has not been tried yet' }
}
