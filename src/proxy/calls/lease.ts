import type { Admission } from '../../access/admission.ts'
import type { Access } from '../../access/decide.ts'
import type { ProxyRoute } from '../routes/proxy-route.ts'
import type { CallLease } from './in-flight.ts'

/** What ends a stream besides its session; `undefined` where nothing does, which is so for every session on a route without a rule. */
export function leaseOf(
  {
    route,
    access,
  }: { readonly route: Pick<ProxyRoute, 'require'>; readonly access: Pick<Access, 'stillMeets'> },
  { bearer, sessionId, freshUntilMs }: Admission,
  endRights: () => void,
): CallLease | undefined {
  if (bearer === undefined && route.require === undefined) return undefined
  return {
    tokenEndsAtMs: bearer?.token.expiresAtMs ?? Number.POSITIVE_INFINITY,
    freshUntilMs: freshUntilMs ?? Number.POSITIVE_INFINITY,
    stillMeets: async (session) => sessionId === undefined || access.stillMeets(sessionId, session),
    endRights,
  }
}
