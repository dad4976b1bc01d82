import type { Admission } from '../../access/admission.ts'
import type { Access } from '../../access/decide.ts'
import type { ProxyRoute } from '../routes/proxy-route.ts'
import type { CallLease } from './in-flight.ts'

/** What is open as long as rights last. */
export interface RightsHolder {
  /** The rule of its route is not met any more: says so to the browser and ends. */
  endRights(): void
}

/** What ends a stream besides its session; `undefined` where nothing does, which is so for every session on a route without a rule. */
export function leaseOf(
  {
    route,
    access,
  }: { readonly route: Pick<ProxyRoute, 'require'>; readonly access: Pick<Access, 'stillMeets'> },
  { bearer, sessionId, freshUntilMs }: Admission,
  holder: RightsHolder,
): CallLease | undefined {
  if (bearer === undefined && route.require === undefined) return undefined
  return {
    tokenEndsAtMs: bearer?.token.expiresAtMs ?? Number.POSITIVE_INFINITY,
    freshUntilMs: freshUntilMs ?? Number.POSITIVE_INFINITY,
    stillMeets: async (session) => sessionId === undefined || access.stillMeets(sessionId, session),
    endRights: () => holder.endRights(),
  }
}
