import type { RotatingKey } from '../../record/keys.ts'
import type { IndexMember, SessionStore } from '../../store/contract.ts'
import { pieceSize } from '../../store/pieces.ts'

/** A member, and under which of the rotating keys it stands. */
export interface KeyedMember extends IndexMember {
  readonly key: string
}

/** Some members of an index, in order. */
export interface WalkedPiece {
  readonly members: readonly KeyedMember[]
  /** Whether there is nothing after them. */
  readonly isLast: boolean
}

/** What is known of one of the rotating keys: the members read and not yet passed on. */
interface Source {
  readonly key: string
  offset: number
  isRead: boolean
  members: readonly KeyedMember[]
}

/**
 * Goes through an index from the newest member to the oldest, whatever the secrets under which they were written, in bounded pieces.
 *
 * @param after goes on behind this member
 */
export async function* walkNewestFirst(
  store: Pick<SessionStore, 'readIndex'>,
  { all }: RotatingKey,
  after: IndexMember | undefined,
): AsyncIterable<WalkedPiece> {
  const sources = all.map((key): Source => ({ key, offset: 0, isRead: false, members: [] }))
  for (;;) {
    for (const source of sources) await fill(store, source, after)
    const members = takeKnown(sources)
    const isLast = sources.every((source) => source.isRead && source.members.length === 0)
    if (members.length > 0) yield { members, isLast }
    if (isLast) return
  }
}

async function fill(
  store: Pick<SessionStore, 'readIndex'>,
  source: Source,
  after: IndexMember | undefined,
): Promise<void> {
  const range = after === undefined ? {} : { upToSeconds: after.issuedAtSeconds }
  while (source.members.length === 0 && !source.isRead) {
    const { key, offset } = source
    const piece = await store.readIndex(key, { ...range, newestFirst: true, offset, count: pieceSize })
    source.offset += piece.length
    source.isRead = piece.length < pieceSize
    const behind = after === undefined ? piece : piece.filter((member) => isBefore(after, member))
    source.members = behind.map((member) => ({ ...member, key }))
  }
}

/** Whether `one` comes before `other`: the newer, and of one second the one with the greater hash, as Redis has it. */
function isBefore(one: IndexMember, other: IndexMember): boolean {
  if (one.issuedAtSeconds !== other.issuedAtSeconds) return one.issuedAtSeconds > other.issuedAtSeconds
  return one.h > other.h
}

/** Merges what is known, as far as no source that may have more has run out. A session under two keys is passed on once. */
function takeKnown(sources: readonly Source[]): readonly KeyedMember[] {
  const taken = new Map<string, KeyedMember>()
  for (;;) {
    if (sources.some((source) => !source.isRead && source.members.length === 0)) break
    const first = firstOf(sources)
    if (first === undefined) break
    const [member, ...rest] = first.members
    first.members = rest
    if (member !== undefined && !taken.has(member.h)) taken.set(member.h, member)
  }
  return [...taken.values()]
}

function firstOf(sources: readonly Source[]): Source | undefined {
  let first: Source | undefined
  for (const source of sources) {
    const [head] = source.members
    const [best] = first?.members ?? []
    if (head !== undefined && (best === undefined || isBefore(head, best))) first = source
  }
  return first
}
