import type { SessionRecords } from '../record/records.ts'
import type { SessionRecord } from '../record/session.ts'
import type { StoredSession } from '../record/writes.ts'
import { settle } from './settle.ts'

/**
 * A change of a record: what the next one is, made of the newest; the same one changes nothing. It is asked again when somebody else wrote
 * in between, so that nobody's write is lost.
 */
export type RecordChange = (record: SessionRecord) => SessionRecord

/** What writing a change needs. */
export interface ChangeDependencies {
  readonly records: Pick<SessionRecords, 'open' | 'prepareReplace'>
  readonly now: () => number
}

/** What became of a change. */
export type ChangeResult =
  | { readonly kind: 'written'; readonly session: StoredSession }
  /** Asked of the newest record, it changed nothing. */
  | { readonly kind: 'unchanged'; readonly session: StoredSession }
  /** The session is over. */
  | { readonly kind: 'gone' }

/**
 * Writes a change of a record that was read inside the lease (DESIGN-2 section 1): when somebody has written in between, the change is made
 * of their record and written again. Nothing is given up before its result is known.
 *
 * @param unsettled told when the result of a write is not known yet
 */
export async function writeChange(
  { records, now }: ChangeDependencies,
  read: StoredSession,
  change: RecordChange,
  unsettled: () => void,
): Promise<ChangeResult> {
  const isOver = (): boolean => now() >= read.view.endsAtMs
  for (let session: StoredSession | undefined = read; session !== undefined; ) {
    const next = change(session.record)
    if (next === session.record) return { kind: 'unchanged', session }
    const result = await settle(records.prepareReplace(session, next), unsettled, isOver)
    if (result === undefined || result === 'gone' || now() >= next.endsAtMs) return { kind: 'gone' }
    if (result === 'replaced') return { kind: 'written', session: { ...session, record: next } }
    session = await settle(() => records.open(read.id), unsettled, isOver)
  }
  return { kind: 'gone' }
}
