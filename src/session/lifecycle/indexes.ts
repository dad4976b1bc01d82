import type { Identity } from '../../oidc/tokens/token-set.ts'
import type { IndexKeys, RotatingKey } from '../record/keys.ts'
import type { SessionFacts, SessionRecord } from '../record/session.ts'
import type { SessionStore } from '../store/contract.ts'

/** An index outlives the sessions in it by this, so that none is ever without its entry; milliseconds. */
const indexSlackMs = 60_000

/** By which sessions are found without their cookie: their user, and their session at the provider. */
export interface SessionIndexes {
  readonly keys: IndexKeys
  /** Must be done before the session is written, or a logout could miss it. */
  add(h: string, record: Pick<SessionRecord, 'identity' | 'endsAtMs'>): Promise<void>
  /** Best effort: what stays behind names a session that does not exist, and is removed by whoever meets it. */
  remove(h: string, identity: Identity): Promise<void>
  /**
   * The same for several sessions with nothing but their facts.
   *
   * @param except an index that the caller sees to itself
   */
  removeByFacts(
    entries: readonly (readonly [h: string, facts: SessionFacts])[],
    except?: string,
  ): Promise<void>
  /** The facts of a session, its index keys among them. */
  factsOf(record: SessionRecord): SessionFacts
}

/** What the indexes need. */
export interface SessionIndexesDependencies {
  readonly store: Pick<SessionStore, 'addToIndex' | 'removeFromIndex' | 'removeFromIndexes'>
  readonly keys: IndexKeys
  readonly now: () => number
}

/** Makes the indexes over a store. Keys are written under the first secret and read under all. */
export function createSessionIndexes({ store, keys, now }: SessionIndexesDependencies): SessionIndexes {
  const keysOf = ({ issuer, subject, providerSessionId: sid }: Identity): readonly RotatingKey[] => {
    const user = keys.ofSubject(issuer, subject)
    return sid === undefined ? [user] : [user, keys.ofProviderSession(issuer, sid)]
  }
  return {
    keys,
    async add(h, { identity, endsAtMs }) {
      const member = { h, issuedAtSeconds: identity.loginIssuedAtSeconds }
      const ttlMs = Math.max(0, endsAtMs - now()) + indexSlackMs
      await Promise.all(keysOf(identity).map(({ current }) => store.addToIndex(current, member, ttlMs)))
    },
    async remove(h, identity) {
      const all = keysOf(identity).flatMap((key) => key.all)
      await Promise.allSettled(all.map((key) => store.removeFromIndex(key, [h])))
    },
    async removeByFacts(entries, except) {
      const members: (readonly [indexKey: string, h: string])[] = []
      for (const [h, { subjectIndex, providerSessionIndex: sid }] of entries) {
        if (subjectIndex !== except) members.push([subjectIndex, h])
        if (sid !== undefined && sid !== except) members.push([sid, h])
      }
      await store.removeFromIndexes(members).catch(() => undefined)
    },
    factsOf({ createdAtMs, endsAtMs, browserFamily, identity, device }) {
      const [user, providerSession] = keysOf(identity)
      return {
        createdAtMs,
        endsAtMs,
        browserFamily,
        subjectIndex: user?.current ?? '',
        providerSessionIndex: providerSession?.current,
        isDeviceBound: device?.isEnforced === true,
      }
    },
  }
}
