import type { Sealer } from '../../sealing/sealer.ts'
import { hashTokenId, providerSessionTombstoneKey, subjectTombstoneKey } from '../record/keys.ts'
import type { SessionRecords } from '../record/records.ts'
import type { IndexMember, SessionStore } from '../store/contract.ts'
import type { Sessions } from './sessions.ts'

/** A login that began before a logout has its callback within this, or not at all. */
const tombstoneLifeMs = 600_000
/** Logout tokens are accepted for 600 s, and 60 s ahead of our clock. */
const tokenUseLifeMs = 660_000

/** What ending sessions needs. */
export interface EndDependencies {
  readonly records: SessionRecords
  readonly store: Pick<SessionStore, 'writeTombstone' | 'isTokenUsed' | 'recordTokenUse'>
  readonly sealer: Sealer
}

type LogoutInput = Parameters<Sessions['endByLogoutToken']>[0]
type NamedInput = Parameters<Sessions['isNamed']>[0]

/** All ways of ending sessions. What is reported as ended no longer exists; index members go afterwards, best effort. */
export function createEnd(
  dependencies: EndDependencies,
): Pick<Sessions, 'end' | 'endOpened' | 'endByLogoutToken' | 'isNamed' | 'endByProviderSession'> {
  const { records, store } = dependencies
  const end = (h: string): Promise<boolean> => endByHash(records, h)
  return {
    end,
    async endOpened({ view, record }) {
      const existed = await records.delete(view.h)
      void records.indexes.remove(view.h, record.identity)
      return existed
    },
    async endByLogoutToken(input) {
      const jtiHash = hashTokenId(input.issuer, input.jti)
      if (await store.isTokenUsed(jtiHash)) return { ended: 0, replayed: true }
      await entomb(dependencies, input)
      const members = await membersOf(records, input)
      const ended = await endEach(
        members.filter(({ issuedAtSeconds }) => issuedAtSeconds <= input.issuedAtSeconds),
        end,
      )
      // Only now: a failure above makes the provider send the token again, and then it must work.
      await store.recordTokenUse(jtiHash, tokenUseLifeMs)
      return { ended, replayed: false }
    },
    isNamed: async (input) => (await membersOf(records, input)).length > 0,
    endByProviderSession: async (issuer, sid) =>
      endEach(await records.indexes.ofProviderSession(issuer, sid), end),
  }
}

/** With both `sub` and `sid` a logout token means the session of the `sid`, not the user's others. */
async function entomb(
  { store, sealer }: EndDependencies,
  { issuer, subject, providerSessionId: sid }: LogoutInput,
): Promise<void> {
  if (sid !== undefined) {
    await store.writeTombstone(providerSessionTombstoneKey(sealer, issuer, sid).current, tombstoneLifeMs)
  } else if (subject !== undefined) {
    await store.writeTombstone(subjectTombstoneKey(sealer, issuer, subject).current, tombstoneLifeMs)
  }
}

async function membersOf(
  { indexes }: SessionRecords,
  { issuer, subject, providerSessionId: sid }: NamedInput,
): Promise<readonly IndexMember[]> {
  if (sid !== undefined) return indexes.ofProviderSession(issuer, sid)
  return subject === undefined ? [] : indexes.ofUser(issuer, subject)
}

/**
 * Ends sessions side by side. Resolves to how many existed.
 *
 * @throws what the first failed end threw, after all have been tried
 */
export async function endEach(
  members: readonly Pick<IndexMember, 'h'>[],
  end: (h: string) => Promise<boolean>,
): Promise<number> {
  const results = await Promise.allSettled(members.map(({ h }) => end(h)))
  for (const result of results) if (result.status === 'rejected') throw result.reason
  return results.filter((result) => result.status === 'fulfilled' && result.value).length
}

/** Both commands are sent at once, the facts' first: afterwards nothing would tell where its index members are. */
async function endByHash(records: SessionRecords, h: string): Promise<boolean> {
  const reading = records.facts([h]).catch(() => [])
  const existed = await records.delete(h)
  void reading.then(([facts]) => (facts === undefined ? undefined : records.indexes.removeByFacts(h, facts)))
  return existed
}
