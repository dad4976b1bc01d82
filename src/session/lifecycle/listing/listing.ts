import { mapInTurns } from '../../../basics/in-turns.ts'
import type { Sealer } from '../../../sealing/sealer.ts'
import { isListedSessionId, listedSessionId } from '../../record/keys.ts'
import type { SessionRecords, StoredFacts } from '../../record/records.ts'
import { isEnded } from '../../record/session.ts'
import type { IndexMember } from '../../store/contract.ts'
import { piecesOf } from '../../store/pieces.ts'
import { type EndIndexedDependencies, takeOutDead } from '../ending/end-indexed.ts'
import { type KeyedMember, type WalkedPiece, walkNewestFirst } from '../ending/index-walk.ts'
import type { ListedSession, OpenSession, Sessions } from '../sessions.ts'
import { createListingCursor } from './listing-cursor.ts'

/** Pieces looked at for one answer: a user with thousands of dead members gets a short page, and the rest with the next one. */
const mostPieces = 20

type ListingSealer = Pick<Sealer, 'hmac' | 'isHmac' | 'seal' | 'open'>

/** What a user's own list needs. */
export interface ListingDependencies extends EndIndexedDependencies {
  readonly records: SessionRecords
  readonly end: Sessions['end']
  readonly sealer: ListingSealer
  readonly now: () => number
}

/** A user's view of their own sessions. */
export function createListing(dependencies: ListingDependencies): Pick<Sessions, 'list' | 'endListed'> {
  const { sealer, store, end } = dependencies
  const cursor = createListingCursor(sealer)
  return {
    async list(session, { limit, untrustedAfter }) {
      const owner = session.record.identity
      const after = untrustedAfter === undefined ? undefined : cursor.open(owner, untrustedAfter)
      if (untrustedAfter !== undefined && after === undefined) return undefined
      const { found, next } = await findLive(dependencies, session, limit, after)
      const isWhole = after === undefined && next === undefined
      const shown = (isWhole ? withCurrent(session, found) : found).toSorted(newestFirst)
      return {
        sessions: await mapInTurns(shown, (one) => toListed(sealer, one, session)),
        next: next === undefined ? undefined : cursor.seal(owner, next),
      }
    },
    async endListed(session, untrustedId) {
      const h = await findListed(dependencies, session, untrustedId)
      if (h === undefined) return 'unknown'
      if (h === session.view.h) return 'own'
      // Asked before: a deletion that is repeated after a lost answer says that there was nothing.
      const [existed] = await store.exist([h])
      return (await end(h)) || existed === true ? 'ended' : 'unknown'
    },
  }
}

interface Found {
  readonly h: string
  readonly facts: Pick<StoredFacts, 'browserFamily' | 'createdAtMs' | 'lastSeenAtMs' | 'isDeviceBound'>
}

function newestFirst(one: Found, other: Found): number {
  return other.facts.createdAtMs - one.facts.createdAtMs
}

interface Page {
  readonly found: readonly Found[]
  /** The last member looked at, when there are more. */
  readonly next: IndexMember | undefined
}

async function findLive(
  dependencies: ListingDependencies,
  session: OpenSession,
  limit: number,
  after: IndexMember | undefined,
): Promise<Page> {
  const { records, store } = dependencies
  const { issuer, subject } = session.record.identity
  const index = records.indexes.keys.ofSubject(issuer, subject)
  const found: Found[] = []
  const dead: KeyedMember[] = []
  let pieces = 0
  try {
    for await (const piece of walkNewestFirst(store, index, after)) {
      const looked = await lookAt(dependencies, piece, limit - found.length)
      found.push(...looked.found)
      dead.push(...looked.dead)
      pieces += 1
      if (looked.last !== undefined) return { found, next: looked.last }
      if (pieces === mostPieces && !piece.isLast) return { found, next: piece.members.at(-1) }
    }
    return { found, next: undefined }
  } finally {
    void removeDead(dependencies, dead)
  }
}

interface Looked {
  readonly found: readonly Found[]
  readonly dead: readonly KeyedMember[]
  /** The member with which the page became full, unless nothing comes after it. */
  readonly last: KeyedMember | undefined
}

async function lookAt(
  { records, now }: ListingDependencies,
  { members, isLast }: WalkedPiece,
  limit: number,
): Promise<Looked> {
  const facts = await records.facts(members.map(({ h }) => h))
  const found: Found[] = []
  for (const [at, member] of members.entries()) {
    const one = facts[at]
    if (one === undefined || isEnded(one, records.limits, now())) continue
    found.push({ h: member.h, facts: one })
    if (found.length < limit) continue
    const isEnd = isLast && at === members.length - 1
    return { found, dead: [], last: isEnd ? undefined : member }
  }
  return { found, dead: members.filter((_member, at) => facts[at] === undefined), last: undefined }
}

async function removeDead(dependencies: ListingDependencies, dead: readonly KeyedMember[]): Promise<void> {
  for (const [key, members] of Map.groupBy(dead, (member) => member.key)) {
    for (const piece of piecesOf(members)) await takeOutDead(dependencies, key, piece)
  }
}

/** The one that asks is always among them, even if its index member was lost. */
function withCurrent(
  { view, record: { browserFamily } }: OpenSession,
  found: readonly Found[],
): readonly Found[] {
  if (found.some(({ h }) => h === view.h)) return found
  const { createdAtMs, lastSeenAtMs, device } = view
  const isDeviceBound = device?.isEnforced === true
  return [...found, { h: view.h, facts: { browserFamily, createdAtMs, lastSeenAtMs, isDeviceBound } }]
}

async function findListed(
  dependencies: ListingDependencies,
  session: OpenSession,
  untrustedId: string,
): Promise<string | undefined> {
  const { records, sealer, store } = dependencies
  if (isListedSessionId(sealer, session.view.h, untrustedId)) return session.view.h
  const { issuer, subject } = session.record.identity
  const index = records.indexes.keys.ofSubject(issuer, subject)
  for await (const { members } of walkNewestFirst(store, index, undefined)) {
    const match = members.find(({ h }) => isListedSessionId(sealer, h, untrustedId))
    if (match !== undefined) return match.h
  }
  return undefined
}

function toListed(
  sealer: ListingSealer,
  { h, facts: { browserFamily, createdAtMs, lastSeenAtMs, isDeviceBound } }: Found,
  session: OpenSession,
): ListedSession {
  const id = listedSessionId(sealer, h)
  return { id, browserFamily, createdAtMs, lastSeenAtMs, isDeviceBound, current: h === session.view.h }
}
