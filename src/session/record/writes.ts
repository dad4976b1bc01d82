import type { SessionIndexes } from '../lifecycle/indexes.ts'
import type { OpenSession } from '../lifecycle/sessions.ts'
import type { ReplaceResult, SessionRow, SessionStore } from '../store/contract.ts'
import { newWriteId } from './keys.ts'
import type { RecordSeal } from './record.ts'
import type { SessionRecord } from './session.ts'

/** A session as it was read. */
export interface StoredSession extends OpenSession {
  /** Sealed under an older secret: the next replace seals everything again. */
  readonly stale: boolean
}

/** One replace of a record; every call repeats exactly the same write. */
export type PreparedReplace = () => Promise<ReplaceResult>

/** What writing records needs. */
export interface RecordWriting {
  readonly store: Pick<SessionStore, 'replace'>
  readonly seal: RecordSeal
  readonly indexes: Pick<SessionIndexes, 'add' | 'factsOf'>
  readonly now: () => number
}

/** Seals a record and its facts as a row with a write id of its own. */
export function sealRow(
  { seal, indexes }: Pick<RecordWriting, 'seal' | 'indexes'>,
  id: string,
  h: string,
  record: SessionRecord,
  lastSeenAtMs: number,
): SessionRow {
  const writeId = newWriteId()
  return {
    writeId,
    sealedRecord: seal.seal(id, h, writeId, record),
    sealedFacts: seal.sealFacts(h, indexes.factsOf(record)),
    lastSeenAtMs,
  }
}

/**
 * Seals `next` for the place of what was read. A record under an older secret takes its facts along, after its index members
 * under the new keys: a logout must find it at every moment.
 */
export function prepareReplace(
  writing: RecordWriting,
  session: StoredSession,
  next: SessionRecord,
): PreparedReplace {
  const { store, indexes, now } = writing
  const { id, view, record, stale } = session
  const row = sealRow(writing, id, view.h, next, view.lastSeenAtMs)
  const isShortened = next.endsAtMs < record.endsAtMs
  const { sealedFacts, ...withoutFacts } = row
  const isBoundNow = next.device?.isEnforced === true && record.device?.isEnforced !== true
  const write = stale || isShortened || isBoundNow ? { ...withoutFacts, sealedFacts } : withoutFacts
  return async () => {
    if (stale) await indexes.add(view.h, next)
    const maxTtlMs = isShortened ? Math.max(1, next.endsAtMs - now()) : undefined
    return store.replace(view.h, view.writeId, write, maxTtlMs)
  }
}
