import type { Admission } from '../../access/admission.ts'
import type { Access } from '../../access/decide.ts'
import type { ProxyRoute } from '../routes/proxy-route.ts'
import type { CallLease } from './in-flight.ts'

/** What ends a stream besides its session; `undefined` where nothing does, which is so on every route without a rule, for sessions that are bound to no device. */
export function leaseOf(
  {
    route,
    access,
  }: { readonly route: Pick<ProxyRoute, 'require'>; readonly access: Pick<Access, 'stillMeets'> },
  { bearer, sessionId, freshUntilMs, provenUntilMs }: Admission,
  endRights: () => void,
): CallLease | undefined {
  const isProven = provenUntilMs !== Number.POSITIVE_INFINITY
  if (bearer === undefined && route.require === undefined && !isProven) return undefined
  return {
    tokenEndsAtMs: bearer?.token.expiresAtMs ?? Number.POSITIVE_INFINITY,
    freshUntilMs,
    provenUntilMs,
    stillMeets: async (session) => sessionId === undefined || access.stillMeets(sessionId, session),
    endRights,
  }
}
