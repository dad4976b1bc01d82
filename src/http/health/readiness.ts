import type { Provider } from '../../oidc/provider/provider.ts'
import type { SessionStore } from '../../session/store/contract.ts'

/** State of one thing that readiness depends on; `reason` names no host. */
export interface Check {
  readonly ready: boolean
  readonly reason?: string
  readonly note?: string
}

/** Whether requests should be sent here, and why not. */
export interface Readiness {
  readonly ready: boolean
  readonly checks: Readonly<Record<string, Check>>
  /** Each of several frontends by name. */
  readonly frontends?: Readonly<Record<string, Check>>
}

/**
 * Looks whether requests should be sent here.
 *
 * @param forTraffic forgives a store outage once the store has answered, so that a balancer does not take every node out at once over
 *   something that all of them share
 */
export type CheckReadiness = (forTraffic: boolean) => Promise<Readiness>

/** What readiness depends on. */
export interface ReadinessContext {
  readonly provider: Pick<Provider, 'status'>
  readonly store: Pick<SessionStore, 'status' | 'ping'>
  /** Whether the process is shutting down. */
  isDraining(): boolean
}

/** Readiness: the process is not shutting down, discovery has succeeded, and the store answers. */
export function createReadiness(context: ReadinessContext): CheckReadiness {
  const checkStore = createStoreCheck(context.store)
  return async (forTraffic) => {
    const store = await checkStore(forTraffic)
    const checks = { process: checkProcess(context), provider: checkProvider(context), store: store.check }
    const ready = checks.process.ready && checks.provider.ready && store.passes
    return { ready, checks }
  }
}

/** Looks at the store, and remembers whether it has ever answered: an outage is forgiven then, see {@link CheckReadiness}. */
export function createStoreCheck(
  store: ReadinessContext['store'],
): (forTraffic: boolean) => Promise<{ readonly check: Check; readonly passes: boolean }> {
  let hasAnswered = false
  return async (forTraffic) => {
    const check = await checkStore(store)
    hasAnswered ||= check.ready
    return { check, passes: check.ready || (forTraffic && hasAnswered) }
  }
}

/** Whether the process is shutting down. */
export function checkProcess(context: Pick<ReadinessContext, 'isDraining'>): Check {
  return context.isDraining() ? { ready: false, reason: 'shutting down' } : { ready: true }
}

function checkProvider(context: Pick<ReadinessContext, 'provider'>): Check {
  const { ready, reason } = context.provider.status()
  return { ready, ...(reason === undefined || ready ? {} : { reason }) }
}

async function checkStore(store: ReadinessContext['store']): Promise<Check> {
  const answers = await store.ping().then(
    () => true,
    () => false,
  )
  const { ready, reason, note } = store.status()
  const remark = note === undefined ? {} : { note }
  if (answers && ready) return { ready: true, ...remark }
  return { ready: false, reason: reason ?? 'the session store does not answer', ...remark }
}
