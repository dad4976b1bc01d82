import { createRecentMap } from '../../../basics/recent-map.ts'
import { GatewayError } from '../../../errors/gateway-error.ts'
import type { Telemetry } from '../../../telemetry/telemetry.ts'
import type { SessionRecords } from '../../record/records.ts'
import type { StoredSession } from '../../record/writes.ts'

/** Requests that began before a session's end learn its reason for this long, milliseconds. */
const reasonLifeMs = 60_000
/** A forgotten reason only makes `session_expired` of `refresh_refused`. */
const mostReasons = 10_000

/** Ends sessions for which no more tokens can be had. */
export interface Endings {
  /** Because the provider refused, or what it answered cannot be trusted. Resolves to the error for those who wait. */
  endRefused(session: StoredSession): Promise<GatewayError>
  /** Because its access token is over and there is no refresh token. */
  endWithToken(session: StoredSession): Promise<GatewayError>
  /** Why a session that is gone is gone, as far as this process knows. */
  errorOf(h: string): GatewayError
}

/** What endings need. */
export interface EndingsDependencies {
  readonly records: Pick<SessionRecords, 'delete' | 'indexes'>
  readonly telemetry: Pick<Telemetry, 'audit'>
  readonly now: () => number
}

/** Makes endings that remember, for a while, the sessions that the provider refused. */
export function createEndings({ records, telemetry, now }: EndingsDependencies): Endings {
  const refusedAtMs = createRecentMap<number>(mostReasons)
  const errorOf = (h: string): GatewayError => {
    const atMs = refusedAtMs.get(h)
    const isKnown = atMs !== undefined && now() - atMs < reasonLifeMs
    return new GatewayError(isKnown ? 'refresh_refused' : 'session_expired')
  }
  const end = async ({ view, record }: StoredSession, reason: string): Promise<void> => {
    await records.delete(view.h)
    void records.indexes.remove(view.h, record.identity)
    telemetry.audit.event('session.ended', { sessionRef: view.sessionRef, userRef: view.userRef, reason })
  }
  return {
    errorOf,
    async endRefused(session) {
      await end(session, 'refresh_refused')
      refusedAtMs.set(session.view.h, now())
      return errorOf(session.view.h)
    },
    async endWithToken(session) {
      await end(session, 'access_token_expired')
      return errorOf(session.view.h)
    },
  }
}
