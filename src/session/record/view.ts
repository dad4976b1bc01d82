import type { SessionRow } from '../store/contract.ts'
import type { References } from './references.ts'
import type { SessionRecord, SessionView } from './session.ts'

/** What the proxy needs of a record, and no more: it may be cached. */
export function viewOf(
  references: References,
  h: string,
  row: Pick<SessionRow, 'writeId' | 'lastSeenAtMs'>,
  { createdAtMs, endsAtMs, identity, tokens, device, lastDemand }: SessionRecord,
  keepsIdentity: boolean,
): SessionView {
  return {
    h,
    writeId: row.writeId,
    createdAtMs,
    endsAtMs,
    lastSeenAtMs: row.lastSeenAtMs,
    access: tokens.access,
    canRefresh: tokens.refreshToken !== undefined,
    sessionRef: references.session(h),
    userRef: references.user(identity.issuer, identity.subject),
    ...(tokens.binding === undefined ? {} : { binding: tokens.binding }),
    ...(keepsIdentity ? { identity } : {}),
    ...(device === undefined ? {} : { device }),
    ...(lastDemand === undefined ? {} : { lastDemand }),
  }
}
