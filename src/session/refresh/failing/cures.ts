import { createRecentMap } from '../../../basics/recent-map.ts'
import { GatewayError } from '../../../errors/gateway-error.ts'
import type { AccessToken, ApiAudience } from '../../../oidc/tokens/token-set.ts'
import type { Endings } from '../../lifecycle/ending/endings.ts'
import type { AccessTokens } from '../../lifecycle/sessions.ts'
import type { SessionRecords } from '../../record/records.ts'
import type { SessionView } from '../../record/session.ts'
import { isSendable } from '../../record/token-rules.ts'
import { setbackKey } from './setbacks.ts'

/** An API that rejects a token younger than this rejects it for another reason than its age; milliseconds. */
const youngMs = 30_000
/** A refresh is forced at most this often for one session and API; milliseconds. */
const forcedIntervalMs = 60_000
/** Forgotten ones are still held back by {@link youngMs}. */
const mostForced = 2_000

/** What cures need. */
export interface CuresDependencies {
  readonly records: Pick<SessionRecords, 'open'>
  readonly endings: Pick<Endings, 'errorOf'>
  /** Gets another token than the rejected one. */
  readonly replace: (id: string, h: string, audience: ApiAudience, rejected: string) => Promise<AccessToken>
  readonly now: () => number
}

interface Forced {
  readonly atMs: number
  /** Until it has come; then it is in the record, where it ends with the session. */
  token: Promise<AccessToken | undefined>
}

const nothing = Promise.resolve(undefined)

/** Makes the cure for tokens that an API rejects before their time. */
export function createCures({
  records,
  endings,
  replace,
  now,
}: CuresDependencies): Pick<AccessTokens, 'cure'> {
  const forced = createRecentMap<Forced>(mostForced)
  const force = (id: string, h: string, audience: ApiAudience, rejected: string): Forced => {
    const known = forced.get(setbackKey(h, audience.key))
    if (known !== undefined && now() - known.atMs < forcedIntervalMs) return known
    const token = replace(id, h, audience, rejected).catch(toUncured)
    const made: Forced = { atMs: now(), token }
    const forget = (): void => {
      made.token = nothing
    }
    // Whoever waits sees it fail; nobody may be waiting any more.
    token.then(forget, forget)
    forced.set(setbackKey(h, audience.key), made)
    return made
  }
  return {
    async cure(
      untrustedId: string,
      view: SessionView,
      audience: ApiAudience,
      rejected: AccessToken,
      leastAgeMs = youngMs,
    ) {
      const session = await records.open(untrustedId)
      if (session === undefined) throw endings.errorOf(view.h)
      const current = session.record.tokens.access[audience.key]
      if (current !== undefined && current.value !== rejected.value && isSendable(current, now()))
        return current
      if (!session.view.canRefresh || now() - rejected.obtainedAtMs < leastAgeMs) return undefined
      const token = await force(untrustedId, view.h, audience, rejected.value).token
      return token?.value === rejected.value ? undefined : token
    },
  }
}

/** A refresh that fails leaves the API's own 401 standing, unless the session is over. */
function toUncured(error: unknown): undefined {
  if (isSessionOver(error)) throw error
}

/** Whether an error says that the session no longer exists. */
export function isSessionOver(error: unknown): boolean {
  return (
    error instanceof GatewayError && (error.code === 'session_expired' || error.code === 'refresh_refused')
  )
}
