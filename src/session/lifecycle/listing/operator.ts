import type { RotatingKey } from '../../record/keys.ts'
import type { SessionRecords, StoredFacts } from '../../record/records.ts'
import { isEnded } from '../../record/session.ts'
import type { SessionStore } from '../../store/contract.ts'
import { piecesOf } from '../../store/pieces.ts'
import { tombstoneLifeMs } from '../ending/end.ts'
import {
  addEnded,
  allEnded,
  type EndIndexedDependencies,
  endGently,
  endIndexed,
  type ManyEnded,
  noneEnded,
} from '../ending/end-indexed.ts'
import { walkNewestFirst } from '../ending/index-walk.ts'

/** Which sessions an operator means. */
export type SessionSelection =
  | { readonly kind: 'all' }
  /** Those of a user, by the ID token's `sub`. */
  | { readonly kind: 'subject'; readonly subject: string }
  /** Those that belong to one session at the provider, by its `sid`. */
  | { readonly kind: 'provider-session'; readonly providerSessionId: string }
  /** Those of the user whom log lines call so. */
  | { readonly kind: 'user-reference'; readonly userRef: string }
  /** The one that log lines call so. */
  | { readonly kind: 'reference'; readonly sessionRef: string }

/** As much of a session as an operator is shown: neither user nor token, and nothing that could be used as a session. */
export interface OperatorSession {
  /** The `sessionRef` of log lines. */
  readonly sessionRef: string
  readonly browserFamily: string
  readonly createdAtMs: number
  readonly lastSeenAtMs: number
  /** Absolute end. */
  readonly endsAtMs: number
}

/** Result of {@link OperatorSessions.revoke}. */
export interface Revocation {
  readonly ended: number
  /** Entries that these settings cannot open: of another client, issuer or secret. They were left alone. */
  readonly foreign: number
}

/** An operator's view of all sessions. Rejects with `session_store_unavailable` when the store does not answer. */
export interface OperatorSessions {
  /** Live sessions in batches, in no order. */
  list(selection: SessionSelection): AsyncIterable<readonly OperatorSession[]>
  /** Deletes them; every node hears of it. Their refresh tokens lapse, because only the cookies could open them. */
  revoke(selection: SessionSelection): Promise<Revocation>
}

/** What the operator's view needs. */
export interface OperatorDependencies extends EndIndexedDependencies {
  readonly records: SessionRecords
  readonly store: EndIndexedDependencies['store'] & Pick<SessionStore, 'scan' | 'writeTombstone'>
  /** `ISSUER_URL`. */
  readonly issuer: string
  readonly now: () => number
}

interface Found {
  readonly h: string
  /** `undefined`: it is gone, or these settings cannot open it. */
  readonly facts: StoredFacts | undefined
}

/** Makes the operator's view. */
export function createOperatorSessions(dependencies: OperatorDependencies): OperatorSessions {
  const { records, now } = dependencies
  const show = ({ h, facts }: Found): readonly OperatorSession[] => {
    if (facts === undefined || isEnded(facts, records.limits, now())) return []
    const { browserFamily, createdAtMs, lastSeenAtMs, endsAtMs } = facts
    return [{ sessionRef: records.references.session(h), browserFamily, createdAtMs, lastSeenAtMs, endsAtMs }]
  }
  return {
    async *list(selection) {
      const index = indexOf(dependencies, selection)
      const hashes = index === undefined ? scan(dependencies, selection) : named(dependencies, index)
      for await (const hs of hashes) yield (await read(dependencies, hs, selection)).flatMap(show)
    },
    async revoke(selection) {
      await entomb(dependencies, selection)
      const index = indexOf(dependencies, selection)
      if (index === undefined) return revokeScanned(dependencies, selection)
      // What an index names and nobody finds ended long ago; it is none of the foreign ones.
      return { ended: allEnded(await endIndexed(dependencies, index, { readable: true })), foreign: 0 }
    },
  }
}

/**
 * A login of this user that is under way must not outlive the revocation. Not for a `sid`: at the provider that session goes on, and signing
 * in again with it shall work.
 */
async function entomb(
  { store, records, issuer }: OperatorDependencies,
  selection: SessionSelection,
): Promise<void> {
  if (selection.kind !== 'subject') return
  const { current } = records.indexes.keys.subjectTombstone(issuer, selection.subject)
  await store.writeTombstone(current, tombstoneLifeMs)
}

function indexOf(
  { records: { indexes }, issuer }: OperatorDependencies,
  selection: SessionSelection,
): RotatingKey | undefined {
  if (selection.kind === 'subject') return indexes.keys.ofSubject(issuer, selection.subject)
  if (selection.kind !== 'provider-session') return undefined
  return indexes.keys.ofProviderSession(issuer, selection.providerSessionId)
}

/** Whose a session is can be told from its facts alone; of those that cannot be read none is meant. */
async function read(
  { records }: OperatorDependencies,
  hs: readonly string[],
  selection: SessionSelection,
): Promise<readonly Found[]> {
  const facts = await records.facts(hs)
  const found = hs.map((h, at) => ({ h, facts: facts[at] }))
  if (selection.kind !== 'user-reference') return found
  return found.filter((one) => records.references.isUser(one.facts?.subjectIndex ?? '', selection.userRef))
}

async function* named({ store }: OperatorDependencies, index: RotatingKey): AsyncIterable<readonly string[]> {
  for await (const { members } of walkNewestFirst(store, index, undefined)) yield members.map(({ h }) => h)
}

async function* scan(
  { records, store }: OperatorDependencies,
  selection: SessionSelection,
): AsyncIterable<readonly string[]> {
  // A scan may meet the same key twice.
  const seen = new Set<string>()
  for await (const hs of store.scan()) {
    const fresh = hs.filter((h) => !seen.has(h) && isMeant(records, selection, h))
    for (const h of fresh) seen.add(h)
    yield* piecesOf(fresh)
  }
}

async function revokeScanned(
  dependencies: OperatorDependencies,
  selection: SessionSelection,
): Promise<Revocation> {
  let sum: ManyEnded = noneEnded
  let foreign = 0
  for await (const hs of scan(dependencies, selection)) {
    const found = await read(dependencies, hs, selection)
    const own = found.filter(({ facts }) => facts !== undefined).map(({ h }) => h)
    const { ended, failed, error, isHopeless } = await endGently(dependencies, own)
    if (isHopeless) throw error
    sum = addEnded(sum, { ended: ended.length, failed: failed.length, error })
    foreign += found.length - own.length
  }
  return { ended: allEnded(sum), foreign }
}

function isMeant({ references }: SessionRecords, selection: SessionSelection, h: string): boolean {
  return selection.kind !== 'reference' || references.isSession(h, selection.sessionRef)
}
