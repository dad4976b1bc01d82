import { hashTokenId } from '../../record/keys.ts'
import type { SessionRecords } from '../../record/records.ts'
import type { SessionStore } from '../../store/contract.ts'
import type { Sessions } from '../sessions.ts'
import {
  allEnded,
  type EndIndexedDependencies,
  endIndexed,
  endPiece,
  type MeantMembers,
} from './end-indexed.ts'

/** A login that began before a logout has its callback within this, or not at all. */
export const tombstoneLifeMs = 600_000
/** Logout tokens are accepted for 600 s, and 60 s ahead of our clock. */
const tokenUseLifeMs = 660_000

/** What ending sessions needs. */
export interface EndDependencies extends EndIndexedDependencies {
  readonly records: SessionRecords
  readonly store: Pick<
    SessionStore,
    | 'writeTombstone'
    | 'isTokenUsed'
    | 'recordTokenUse'
    | 'readIndex'
    | 'removeFromIndex'
    | 'addToIndex'
    | 'exist'
  >
}

type LogoutInput = Parameters<Sessions['endByLogoutToken']>[0]
type NamedInput = Parameters<Sessions['isNamed']>[0]

/** All ways of ending sessions without their cookie. What is reported as ended no longer exists; index members go best effort. */
export function createEnd(
  dependencies: EndDependencies,
): Pick<Sessions, 'end' | 'endByLogoutToken' | 'isNamed' | 'endByProviderSession' | 'endOthersOf'> {
  const { records, store } = dependencies
  const { keys } = records.indexes
  return {
    async end(h) {
      const { ended, failed, error } = await endPiece(dependencies, [h])
      if (failed.length > 0) throw error
      return ended.length > 0
    },
    async endByLogoutToken(input) {
      const jtiHash = hashTokenId(input.issuer, input.jti)
      if (await store.isTokenUsed(jtiHash)) return { ended: 0, replayed: true }
      await entomb(dependencies, input)
      const ended = await endNamed(dependencies, input, { upToSeconds: input.issuedAtSeconds })
      // Only now: a failure above makes the provider send the token again, and then it must work.
      await store.recordTokenUse(jtiHash, tokenUseLifeMs)
      return { ended, replayed: false }
    },
    async isNamed(input) {
      const first = { offset: 0, count: 1 }
      for (const key of indexOf(records, input)?.all ?? []) {
        if ((await store.readIndex(key, first)).length > 0) return true
      }
      return false
    },
    endByProviderSession: async (issuer, sid) =>
      allEnded(await endIndexed(dependencies, keys.ofProviderSession(issuer, sid))),
    async endOthersOf({ view: { h }, record: { identity } }) {
      const { issuer, subject } = identity
      // A login that is under way elsewhere is one of the others too.
      await store.writeTombstone(keys.subjectTombstone(issuer, subject).current, tombstoneLifeMs)
      return endIndexed(dependencies, keys.ofSubject(issuer, subject), { except: h })
    },
  }
}

/** With both `sub` and `sid` a logout token means the session of the `sid`, not the user's others. */
async function entomb(
  { records, store }: EndDependencies,
  { issuer, subject, providerSessionId: sid }: LogoutInput,
): Promise<void> {
  const { keys } = records.indexes
  if (sid !== undefined) {
    await store.writeTombstone(keys.providerSessionTombstone(issuer, sid).current, tombstoneLifeMs)
  } else if (subject !== undefined) {
    await store.writeTombstone(keys.subjectTombstone(issuer, subject).current, tombstoneLifeMs)
  }
}

async function endNamed(
  dependencies: EndDependencies,
  input: NamedInput,
  meant: MeantMembers,
): Promise<number> {
  const index = indexOf(dependencies.records, input)
  return index === undefined ? 0 : allEnded(await endIndexed(dependencies, index, meant))
}

function indexOf(
  { indexes: { keys } }: SessionRecords,
  { issuer, subject, providerSessionId: sid }: NamedInput,
) {
  if (sid !== undefined) return keys.ofProviderSession(issuer, sid)
  return subject === undefined ? undefined : keys.ofSubject(issuer, subject)
}
