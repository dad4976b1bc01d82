import type { Sealer } from '../../sealing/sealer.ts'
import { subjectTombstoneKey } from '../record/keys.ts'
import type { SessionRecords, StoredFacts } from '../record/records.ts'
import { isEnded } from '../record/session.ts'
import type { SessionStore } from '../store/contract.ts'
import { endEach } from './end.ts'
import type { Sessions } from './sessions.ts'

/** A login that began before has its callback within this, or not at all, milliseconds. */
const tombstoneLifeMs = 600_000

/** Which sessions an operator means. */
export type SessionSelection =
  | { readonly kind: 'all' }
  /** Those of a user, by the ID token's `sub`. */
  | { readonly kind: 'subject'; readonly subject: string }
  /** Those that belong to one session at the provider, by its `sid`. */
  | { readonly kind: 'provider-session'; readonly providerSessionId: string }
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
export interface OperatorDependencies {
  readonly records: SessionRecords
  readonly store: Pick<SessionStore, 'scan' | 'writeTombstone'>
  readonly sealer: Sealer
  readonly end: Sessions['end']
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
  const { records, end, now } = dependencies
  const show = ({ h, facts }: Found): readonly OperatorSession[] => {
    if (facts === undefined || isEnded(facts, records.limits, now())) return []
    const { browserFamily, createdAtMs, lastSeenAtMs, endsAtMs } = facts
    return [{ sessionRef: records.references.session(h), browserFamily, createdAtMs, lastSeenAtMs, endsAtMs }]
  }
  return {
    async *list(selection) {
      for await (const batch of find(dependencies, selection)) yield batch.flatMap(show)
    },
    async revoke(selection) {
      await entomb(dependencies, selection)
      let ended = 0
      let foreign = 0
      for await (const batch of find(dependencies, selection)) {
        const own = batch.filter(({ facts }) => facts !== undefined)
        ended += await endEach(own, end)
        foreign += batch.length - own.length
      }
      return { ended, foreign }
    },
  }
}

/**
 * A login of this user that is under way must not outlive the revocation. Not for a `sid`: at the provider that session goes on, and signing
 * in again with it shall work.
 */
async function entomb(
  { store, sealer, issuer }: OperatorDependencies,
  selection: SessionSelection,
): Promise<void> {
  if (selection.kind !== 'subject') return
  await store.writeTombstone(subjectTombstoneKey(sealer, issuer, selection.subject).current, tombstoneLifeMs)
}

async function* find(
  { records, store, issuer }: OperatorDependencies,
  selection: SessionSelection,
): AsyncIterable<readonly Found[]> {
  const read = async (hs: readonly string[]): Promise<readonly Found[]> => {
    const facts = await records.facts(hs)
    return hs.map((h, at) => ({ h, facts: facts[at] }))
  }
  if (selection.kind === 'subject' || selection.kind === 'provider-session') {
    const { indexes } = records
    const members =
      selection.kind === 'subject'
        ? await indexes.ofUser(issuer, selection.subject)
        : await indexes.ofProviderSession(issuer, selection.providerSessionId)
    // What an index names and nobody finds ended long ago; it is none of the foreign ones.
    yield (await read(members.map(({ h }) => h))).filter(({ facts }) => facts !== undefined)
    return
  }
  // A scan may meet the same key twice.
  const seen = new Set<string>()
  for await (const hs of store.scan()) {
    const fresh = hs.filter((h) => !seen.has(h) && isMeant(records, selection, h))
    for (const h of fresh) seen.add(h)
    yield await read(fresh)
  }
}

function isMeant({ references }: SessionRecords, selection: SessionSelection, h: string): boolean {
  return selection.kind !== 'reference' || references.session(h) === selection.sessionRef
}
