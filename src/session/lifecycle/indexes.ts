import type { Identity } from '../../oidc/tokens/token-set.ts'
import type { Sealer } from '../../sealing/sealer.ts'
import { providerSessionIndexKey, type RotatingKey, subjectIndexKey } from '../record/keys.ts'
import type { SessionFacts, SessionRecord } from '../record/session.ts'
import type { IndexMember, SessionStore } from '../store/contract.ts'

/** An index outlives the sessions in it by this, so that none is ever without its entry; milliseconds. */
const indexSlackMs = 60_000

/** By which sessions are found without their cookie: their user, and their session at the provider. */
export interface SessionIndexes {
  /** Must be done before the session is written, or a logout could miss it. */
  add(h: string, record: Pick<SessionRecord, 'identity' | 'endsAtMs'>): Promise<void>
  /** Best effort: what stays behind names a session that does not exist, and is pruned later. */
  remove(h: string, identity: Identity): Promise<void>
  /** The same with nothing but the facts. */
  removeByFacts(h: string, facts: SessionFacts): Promise<void>
  ofUser(issuer: string, subject: string): Promise<readonly IndexMember[]>
  ofProviderSession(issuer: string, providerSessionId: string): Promise<readonly IndexMember[]>
  /** The facts of a session, its index keys among them. */
  factsOf(record: SessionRecord): SessionFacts
}

/** What the indexes need. */
export interface SessionIndexesDependencies {
  readonly store: Pick<SessionStore, 'addToIndex' | 'removeFromIndex' | 'readIndex'>
  readonly sealer: Sealer
  readonly now: () => number
}

/** Makes the indexes over a store. Keys are written under the first secret and read under all. */
export function createSessionIndexes(dependencies: SessionIndexesDependencies): SessionIndexes {
  const { store, sealer, now } = dependencies
  const keysOf = ({ issuer, subject, providerSessionId }: Identity): readonly RotatingKey[] => {
    const user = subjectIndexKey(sealer, issuer, subject)
    if (providerSessionId === undefined) return [user]
    return [user, providerSessionIndexKey(sealer, issuer, providerSessionId)]
  }
  const removeFrom = async (keys: readonly string[], h: string): Promise<void> => {
    await Promise.allSettled(keys.map((key) => store.removeFromIndex(key, [h])))
  }
  const read = async ({ all }: RotatingKey): Promise<readonly IndexMember[]> => {
    const found = await Promise.all(all.map((key) => store.readIndex(key)))
    return [...new Map(found.flat().map((member) => [member.h, member])).values()]
  }
  return {
    async add(h, { identity, endsAtMs }) {
      const member = { h, issuedAtSeconds: identity.loginIssuedAtSeconds }
      const ttlMs = Math.max(0, endsAtMs - now()) + indexSlackMs
      await Promise.all(keysOf(identity).map(({ current }) => store.addToIndex(current, member, ttlMs)))
    },
    remove: (h, identity) =>
      removeFrom(
        keysOf(identity).flatMap(({ all }) => all),
        h,
      ),
    removeByFacts: (h, { subjectIndex, providerSessionIndex }) =>
      removeFrom(
        providerSessionIndex === undefined ? [subjectIndex] : [subjectIndex, providerSessionIndex],
        h,
      ),
    ofUser: (issuer, subject) => read(subjectIndexKey(sealer, issuer, subject)),
    ofProviderSession: (issuer, sid) => read(providerSessionIndexKey(sealer, issuer, sid)),
    factsOf({ createdAtMs, endsAtMs, browserFamily, identity }) {
      const [user, providerSession] = keysOf(identity)
      return {
        createdAtMs,
        endsAtMs,
        browserFamily,
        subjectIndex: user?.current ?? '',
        providerSessionIndex: providerSession?.current,
      }
    },
  }
}
