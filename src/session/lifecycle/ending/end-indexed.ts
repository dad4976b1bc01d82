import { setTimeout as sleep } from 'node:timers/promises'
import { GatewayError } from '../../../errors/gateway-error.ts'
import type { RotatingKey } from '../../record/keys.ts'
import type { SessionRecords } from '../../record/records.ts'
import type { SessionFacts } from '../../record/session.ts'
import type { IndexMember, SessionStore } from '../../store/contract.ts'
import { pieceSize, piecesOf } from '../../store/pieces.ts'

/** Sessions ended by one command: a quarter of a millisecond of Redis' work, so that nobody else's commands wait for long. */
const endPieceSize = 40
/** Longest pause after a piece, milliseconds: others get as long as the piece has taken, but a slow store makes nothing slower still. */
const longestPauseMs = 20
/**
 * A login writes its index members before its session. Members that are younger and name no session may be of one that is about to be
 * written; milliseconds.
 */
const youngMemberMs = 10_000

/** What ending many sessions needs. */
export interface EndIndexedDependencies {
  readonly records: Pick<SessionRecords, 'facts' | 'deleteEach' | 'indexes' | 'limits'>
  readonly store: Pick<SessionStore, 'readIndex' | 'removeFromIndex' | 'addToIndex' | 'exist'>
  readonly now: () => number
  /** Told which sessions have just ended. */
  readonly onEnded?: (hs: readonly string[]) => void
}

/** How the end of many sessions went. */
export interface ManyEnded {
  /** How many existed and are gone. */
  readonly ended: number
  /** How many may still be there, because the store did not answer about them. */
  readonly failed: number
  /** What went wrong with the first of those. */
  readonly error: unknown
}

/** The result of ending nothing. */
export const noneEnded: ManyEnded = { ended: 0, failed: 0, error: undefined }

/** Both results as one. */
export function addEnded(one: ManyEnded, other: ManyEnded): ManyEnded {
  return {
    ended: one.ended + other.ended,
    failed: one.failed + other.failed,
    error: one.error ?? other.error,
  }
}

/**
 * The number of sessions that have ended, if none was left.
 *
 * @throws GatewayError `session_store_unavailable` that says how many may still be there
 */
export function allEnded({ ended, failed, error }: ManyEnded): number {
  if (failed === 0) return ended
  const context = error instanceof GatewayError ? error.context : {}
  throw new GatewayError('session_store_unavailable', { context: { ...context, ended, failed } })
}

/** Which members of an index are meant. */
export interface MeantMembers {
  /** Only those issued then or before, whole seconds. */
  readonly upToSeconds?: number
  /** The hash of a session that is left alone. */
  readonly except?: string
  /** Only those whose facts these settings can open: the sessions of another client stay. */
  readonly readable?: true
}

/**
 * Ends the sessions that an index names, in bounded pieces with time for others between them, and takes their members and those of
 * sessions long gone out of it on the way. A session whose end fails does not keep the others from theirs.
 *
 * @throws what the store threw when it tells nothing at all any more
 */
export async function endIndexed(
  dependencies: EndIndexedDependencies,
  index: RotatingKey,
  meant: MeantMembers = {},
): Promise<ManyEnded> {
  let sum = noneEnded
  for (const key of index.all) sum = addEnded(sum, await endUnder(dependencies, key, meant))
  return sum
}

async function endUnder(
  dependencies: EndIndexedDependencies,
  key: string,
  { except, readable, ...range }: MeantMembers,
): Promise<ManyEnded> {
  const { store } = dependencies
  let sum = noneEnded
  // What was taken out no longer counts; what could not be is passed over.
  let offset = 0
  for (;;) {
    const piece = await store.readIndex(key, { ...range, offset, count: pieceSize })
    if (piece.length === 0) return sum
    const hs = piece.map(({ h }) => h).filter((h) => h !== except)
    const meant = readable ? await readableOf(dependencies, hs) : hs
    const ends = await endGently(dependencies, meant, key)
    offset += piece.length - (await takeOut(dependencies, key, piece, ends))
    sum = addEnded(sum, { ended: ends.ended.length, failed: ends.failed.length, error: ends.error })
    if (ends.isHopeless) throw ends.error
    if (piece.length < pieceSize) return sum
  }
}

/**
 * Ends several sessions, a few at a time; when nothing is told of some, the rest is hopeless and not tried.
 *
 * @param walked the index that they were found in, whose members the caller takes out
 */
export async function endGently(
  dependencies: Pick<EndIndexedDependencies, 'records' | 'onEnded'>,
  hs: readonly string[],
  walked?: string,
): Promise<PieceEnds & { readonly isHopeless: boolean }> {
  const sum: { ended: string[]; absent: string[]; failed: string[]; error: unknown } = {
    ended: [],
    absent: [],
    failed: [],
    error: undefined,
  }
  for (const few of piecesOf(hs, endPieceSize)) {
    const startedAtMs = performance.now()
    const ends = await endPiece(dependencies, few, walked)
    sum.ended.push(...ends.ended)
    sum.absent.push(...ends.absent)
    sum.failed.push(...ends.failed)
    sum.error ??= ends.error
    if (few.length < endPieceSize) break
    if (ends.failed.length === few.length) return { ...sum, isHopeless: true }
    await sleep(Math.min(performance.now() - startedAtMs, longestPauseMs))
  }
  return { ...sum, isHopeless: false }
}

async function readableOf(
  { records }: EndIndexedDependencies,
  hs: readonly string[],
): Promise<readonly string[]> {
  const facts = await records.facts(hs)
  return hs.filter((_h, at) => facts[at] !== undefined)
}

interface PieceEnds {
  readonly ended: readonly string[]
  /** Those that did not exist. */
  readonly absent: readonly string[]
  readonly failed: readonly string[]
  readonly error: unknown
}

/**
 * Ends several sessions, their other index members included.
 *
 * @param walked the index that they were found in, whose members the caller takes out
 */
export async function endPiece(
  { records, onEnded }: Pick<EndIndexedDependencies, 'records' | 'onEnded'>,
  hs: readonly string[],
  walked?: string,
): Promise<PieceEnds> {
  if (hs.length === 0) return { ended: [], absent: [], failed: [], error: undefined }
  let error: unknown
  const rows = await records.deleteEach(hs).catch((thrown: unknown) => {
    error = thrown
    return []
  })
  const ended: string[] = []
  const absent: string[] = []
  const failed: string[] = []
  const known: (readonly [h: string, facts: SessionFacts])[] = []
  hs.forEach((h, at) => {
    const row = rows[at]
    if (row === undefined) failed.push(h)
    else if (row.existed) ended.push(h)
    else absent.push(h)
    if (row?.facts !== undefined) known.push([h, row.facts])
  })
  void records.indexes.removeByFacts(known, walked)
  onEnded?.(ended)
  return {
    ended,
    absent,
    failed,
    error: error ?? (failed.length > 0 ? new GatewayError('session_store_unavailable') : undefined),
  }
}

/** Takes the members of what has ended, now or long ago, out of the index. Resolves to how many that were. */
async function takeOut(
  dependencies: EndIndexedDependencies,
  key: string,
  piece: readonly IndexMember[],
  { ended, absent }: PieceEnds,
): Promise<number> {
  const gone = new Set(absent)
  const dead = piece.filter((member) => gone.has(member.h))
  const [ofEnded, ofDead] = await Promise.all([
    dependencies.store.removeFromIndex(key, ended).then(
      () => ended.length,
      () => 0,
    ),
    takeOutDead(dependencies, key, dead),
  ])
  return ofEnded + ofDead
}

/**
 * Takes members that name no session out of an index, but for those whose session may be about to be written. Should one have been
 * written all the same, its member is put back: no session may ever be without.
 *
 * @returns how many were taken out
 */
export async function takeOutDead(
  { store, records, now }: EndIndexedDependencies,
  key: string,
  dead: readonly IndexMember[],
): Promise<number> {
  const old = dead.filter(({ issuedAtSeconds }) => now() - issuedAtSeconds * 1_000 > youngMemberMs)
  if (old.length === 0) return 0
  const hs = old.map(({ h }) => h)
  try {
    await store.removeFromIndex(key, hs)
    const found = await store.exist(hs)
    const back = old.filter((_member, at) => found[at] !== false)
    await Promise.all(back.map((member) => store.addToIndex(key, member, records.limits.maxLifetimeMs)))
    return old.length - back.length
  } catch {
    // Best effort: they are met again.
    return 0
  }
}
