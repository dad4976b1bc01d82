import { within } from '../../basics/within.ts'
import { createBreaker } from '../../network/breaker.ts'
import type { Provider } from '../../oidc/provider/provider.ts'
import type { AccessToken, ApiAudience } from '../../oidc/tokens/token-set.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import { createEndings } from '../lifecycle/ending/endings.ts'
import type { AccessTokens } from '../lifecycle/sessions.ts'
import type { SessionRecords } from '../record/records.ts'
import type { SessionView } from '../record/session.ts'
import { isDue, isSendable } from '../record/token-rules.ts'
import type { SessionStore } from '../store/contract.ts'
import { createCures, isSessionOver } from './failing/cures.ts'
import { createDoubts } from './failing/doubts.ts'
import { noRefreshToken, takesTooLong } from './failing/errors.ts'
import { createSetbacks, type Setbacks, setbackKey } from './failing/setbacks.ts'
import { createRefreshes, type LeaseTimes, type Refreshes } from './refreshes.ts'
import type { Wish } from './want.ts'

/** Settings of refreshes; the configuration fits as it is. */
export interface AccessTokenOptions {
  /** `PROVIDER_TIMEOUT`: longest time of one request to the provider, seconds. */
  readonly providerTimeout: number
  /** The API of the login. */
  readonly audience: ApiAudience
}

/** What access tokens need. */
export interface AccessTokensDependencies {
  /** The same ones that the session service has. */
  readonly records: SessionRecords
  readonly store: Pick<SessionStore, 'acquireLease' | 'renewLease' | 'releaseLease' | 'changes'>
  readonly provider: Pick<Provider, 'refresh' | 'revoke'>
  readonly telemetry: Telemetry
  readonly now: () => number
}

/** The lease outlasts one request to the provider by this, for reading and writing around it; milliseconds. */
const leaseSlackMs = 5_000
/** Who waits for somebody else's lease waits for its end and this long; milliseconds. */
const patienceSlackMs = 1_000

function toLeaseTimes({ providerTimeout }: AccessTokenOptions): LeaseTimes {
  const leaseMs = providerTimeout * 1_000 + leaseSlackMs
  return { leaseMs, patienceMs: leaseMs + patienceSlackMs }
}

/** Makes the access tokens of a process: see {@link AccessTokens}. */
export function createAccessTokens(
  options: AccessTokenOptions,
  dependencies: AccessTokensDependencies,
): AccessTokens {
  const { records, telemetry, now } = dependencies
  const times = toLeaseTimes(options)
  const setbacks = createSetbacks(now)
  const endings = createEndings(dependencies)
  const refreshes = createRefreshes(
    {
      ...dependencies,
      endings,
      setbacks,
      breaker: createBreaker(now),
      doubts: createDoubts(now),
      defaultAudience: options.audience,
      answerWithinMs: options.providerTimeout * 1_000,
    },
    times,
  )
  const limitMs = times.patienceMs + times.leaseMs
  const wait = waiting({ refreshes, setbacks, limitMs, metrics: telemetry.metrics })
  const ahead = (id: string, { h }: SessionView, audience: ApiAudience): void => {
    const isHeldBack = setbacks.isStanding(h) || setbacks.isStanding(setbackKey(h, audience.key))
    if (isHeldBack || refreshes.isUnderWay(h)) return
    refreshes.want(id, h, audience, { kind: 'not_due' }).catch(() => undefined)
  }
  return {
    get(untrustedId, view, audience) {
      const token = view.access[audience.key]
      const nowMs = now()
      if (token !== undefined && isSendable(token, nowMs)) {
        if (isDue(token, nowMs) && view.canRefresh) ahead(untrustedId, view, audience)
        return token
      }
      if (token === undefined && !view.canRefresh) return Promise.reject(noRefreshToken())
      return wait(untrustedId, view.h, audience, { kind: 'sendable' })
    },
    async refreshIfDue(untrustedId, view, audience) {
      const token = view.access[audience.key]
      if (token !== undefined && !isDue(token, now())) return
      const canGoOn = token !== undefined && isSendable(token, now())
      if (!view.canRefresh && canGoOn) return
      try {
        await wait(untrustedId, view.h, audience, { kind: 'not_due' })
      } catch (error) {
        if (!canGoOn || isSessionOver(error)) throw error
      }
    },
    ...createCures({
      records,
      endings,
      now,
      replace: (id, h, audience, rejected) => wait(id, h, audience, { kind: 'other_than', rejected }),
    }),
    update: (session, change) =>
      within(refreshes.update(session.id, session.view.h, change), limitMs, takesTooLong),
    drained: refreshes.drained,
  }
}

type Wait = (id: string, h: string, audience: ApiAudience, wish: Wish) => Promise<AccessToken>

interface Waiting {
  readonly refreshes: Refreshes
  readonly setbacks: Setbacks
  /** Nobody waits longer, milliseconds: a lease that has to run out, and a grant. */
  readonly limitMs: number
  readonly metrics: Pick<Telemetry['metrics'], 'refreshWait'>
}

/** Waits for a refresh, unless it is known to fail. */
function waiting({ refreshes, setbacks, limitMs, metrics }: Waiting): Wait {
  return async (id, h, audience, wish) => {
    const standing = setbacks.standing(h) ?? setbacks.standing(setbackKey(h, audience.key))
    if (standing !== undefined) throw standing
    const startedAtMs = performance.now()
    try {
      return await within(refreshes.want(id, h, audience, wish), limitMs, takesTooLong)
    } finally {
      metrics.refreshWait((performance.now() - startedAtMs) / 1_000)
    }
  }
}
