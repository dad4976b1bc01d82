import type { Sealer } from '../../sealing/sealer.ts'
import { isListedSessionId, listedSessionId } from '../record/keys.ts'
import type { SessionRecords, StoredFacts } from '../record/records.ts'
import { isEnded } from '../record/session.ts'
import { endEach } from './end.ts'
import type { ListedSession, OpenSession, Sessions } from './sessions.ts'

/** What a user's own list needs. */
export interface ListingDependencies {
  readonly records: SessionRecords
  readonly end: Sessions['end']
  readonly sealer: Sealer
  readonly now: () => number
}

/** A user's view of their own sessions. */
export function createListing(
  dependencies: ListingDependencies,
): Pick<Sessions, 'list' | 'endListed' | 'endAllOf'> {
  const { records, end, sealer, now } = dependencies
  const ownHashes = async ({ view, record: { identity } }: OpenSession): Promise<readonly string[]> => {
    const members = await records.indexes.ofUser(identity.issuer, identity.subject)
    // The one that asks is always among them, even if its index member was lost.
    return [...new Set([view.h, ...members.map(({ h }) => h)])]
  }
  return {
    async list(session) {
      const hs = await ownHashes(session)
      const facts = await records.facts(hs)
      const isLive = (one: StoredFacts): boolean => !isEnded(one, records.limits, now())
      return hs
        .flatMap((h, at) => {
          const one = facts[at]
          return one !== undefined && isLive(one) ? [toListed(sealer, h, one, h === session.view.h)] : []
        })
        .sort((a, b) => b.createdAtMs - a.createdAtMs)
    },
    async endListed(session, listedId) {
      const hs = await ownHashes(session)
      const h = hs.find((one) => isListedSessionId(sealer, one, listedId))
      return h === undefined ? false : end(h)
    },
    async endAllOf(session) {
      const hs = await ownHashes(session)
      return endEach(
        hs.map((h) => ({ h })),
        end,
      )
    },
  }
}

function toListed(sealer: Sealer, h: string, facts: StoredFacts, current: boolean): ListedSession {
  const { browserFamily, createdAtMs, lastSeenAtMs } = facts
  return { id: listedSessionId(sealer, h), browserFamily, createdAtMs, lastSeenAtMs, current }
}
