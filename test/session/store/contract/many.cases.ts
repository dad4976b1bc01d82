import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import type { IndexMember, SessionStore } from '../../../../src/session/store/contract.ts'
import { pieceSize, piecesOf } from '../../../../src/session/store/pieces.ts'
import { newHash, newRow, sessionMaxLifetime } from '../../../support/redis/redis-stores.ts'
import type { Tested } from './tested.ts'

const many = 40_000
/** The same for every store: making them takes a while. */
let members: readonly IndexMember[] | undefined
const longList = 5_000

/** What takes tens of thousands. */
export function manyCases(tested: Tested): void {
  it('reads an index of 40,000 in pieces, from either end, as far as asked, and empties it', async () => {
    const { store } = tested
    const index = store.keys.bySubject(randomUUID())
    members ??= newMembers()
    const hs = members.map(({ h }) => h)
    await fill(tested, index, members)
    const read = async (range: object): Promise<readonly string[]> =>
      (await store.readIndex(index, { offset: 0, count: 3, ...range })).map(({ h }) => h)
    const [, second] = members
    const upToSeconds = second?.issuedAtSeconds ?? 0
    expect(await read({})).toEqual(hs.slice(0, 3))
    expect(await read({ newestFirst: true })).toEqual(hs.slice(-3).toReversed())
    expect(await read({ newestFirst: true, offset: many - 2 })).toEqual(hs.slice(0, 2).toReversed())
    expect(await read({ upToSeconds })).toEqual(hs.slice(0, 2))
    expect(await read({ newestFirst: true, upToSeconds })).toEqual(hs.slice(0, 2).toReversed())
    const walked: string[] = []
    for (let offset = 0; offset < many; offset += 4_000)
      walked.push(...(await read({ offset, count: 4_000 })))
    expect(walked).toEqual(hs)
    await store.removeFromIndex(index, hs)
    expect(await read({})).toEqual([])
  }, 60_000)

  it('takes long lists in pieces, so that others are answered meanwhile', async () => {
    const { store, levers } = tested
    const neighbour = levers === undefined ? store : (await tested.open()).store
    const [own, some] = [newHash(), Array.from({ length: 300 }, newHash)]
    await Promise.all([own, ...some].map((h) => store.create(h, newRow(), 60_000)))
    const hs = [...Array.from({ length: longList - some.length }, newHash), ...some]
    const index = store.keys.bySubject(randomUUID())
    let isOver = false
    const watching = watch(neighbour, own, () => isOver)
    expect((await store.exist(hs)).filter((exists) => exists === true)).toHaveLength(some.length)
    expect((await store.readFacts(hs)).filter((facts) => facts !== undefined)).toHaveLength(some.length)
    expect((await store.deviceLivesMs(hs)).every((lifeMs) => lifeMs === 0)).toBe(true)
    await store.removeFromIndexes(hs.map((h) => [index, h]))
    expect((await store.deleteEach(hs)).filter((row) => row?.existed)).toHaveLength(some.length)
    isOver = true
    expect(await watching).toBeGreaterThan(0)
    await store.delete(own)
  }, 60_000)
}

/** Younger than any session may be, so that none is pruned; in order. */
function newMembers(): readonly IndexMember[] {
  const oldestSeconds = Math.floor(Date.now() / 1_000) - sessionMaxLifetime / 2
  return Array.from({ length: many }, (_one, at) => ({
    h: newHash(),
    issuedAtSeconds: oldestSeconds + at / 4,
  }))
}

/** Behind the store's back where there is a server: only the index matters here, and not how it came about. */
async function fill(
  { store, levers }: Tested,
  index: string,
  members: readonly IndexMember[],
): Promise<void> {
  if (levers === undefined) {
    for (const member of members) await store.addToIndex(index, member, 60_000)
    return
  }
  const clients = levers.masters.map((master) => master.client())
  for (const piece of piecesOf(members, 4 * pieceSize)) {
    const flat = piece.flatMap(({ h, issuedAtSeconds }) => [issuedAtSeconds, h])
    // The one that has its slot takes it.
    await Promise.any(clients.map((client) => client.zadd(index, ...flat)))
  }
}

/** How many reads were answered; one that took half a second would be refused. */
async function watch(store: SessionStore, h: string, isOver: () => boolean): Promise<number> {
  let answered = 0
  while (!isOver()) {
    expect(await store.read(h)).toBeDefined()
    answered += 1
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return answered
}
