import { expect, it } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { allBytes, newHash, newRow } from '../../../support/redis/redis-stores.ts'
import { gone, nextOf } from './rows.ts'
import type { Tested } from './tested.ts'

/** Rows of sessions: the four writes and what reads them. */
export function sessionCases(tested: Tested): void {
  it('becomes ready and answers', async () => {
    await eventually(() => tested.store.ping())
    await eventually(async () =>
      expect(tested.store.status()).toMatchObject({ ready: true, reason: undefined }),
    )
  })

  it('gives back what was created, byte for byte', async () => {
    const h = newHash()
    const row = newRow()
    expect(await tested.store.create(h, row, 5_000)).toBe(true)
    const { sealedRecord, writeId, sealedFacts, lastSeenAtMs } = row
    expect(await tested.store.read(h)).toMatchObject({ sealedRecord, writeId, lastSeenAtMs })
    expect(await tested.store.readFacts([newHash(), h])).toMatchObject([
      undefined,
      { sealedFacts, lastSeenAtMs },
    ])
    expect(await tested.store.exist([h, newHash()])).toEqual([true, false])
    await tested.store.delete(h)
  })

  it('never creates over a session', async () => {
    const h = newHash()
    const first = newRow()
    await tested.store.create(h, first, 5_000)
    expect(await tested.store.create(h, newRow({ lastSeenAtMs: 7 }), 5_000)).toBe(false)
    expect(await tested.store.read(h)).toMatchObject({ writeId: first.writeId, lastSeenAtMs: 1_000 })
    await tested.store.delete(h)
  })

  it('takes a repeated create for the success that it is', async () => {
    const h = newHash()
    const row = newRow()
    expect(await tested.store.create(h, row, 5_000)).toBe(true)
    expect(await tested.store.create(h, row, 5_000)).toBe(true)
    await tested.store.delete(h)
  })

  it('forgets a session at the end of its time', async () => {
    const h = newHash()
    await tested.store.create(h, newRow(), 40)
    await gone(tested.store, h)
  })

  it('replaces only what carries the expected write id, once', async () => {
    const h = newHash()
    const row = newRow()
    await tested.store.create(h, row, 5_000)
    const [winner, loser] = [nextOf('winner'), nextOf('loser')]
    const results = await Promise.all([
      tested.store.replace(h, row.writeId, winner),
      tested.store.replace(h, row.writeId, loser),
    ])
    expect(results).toEqual(['replaced', 'conflict'])
    expect(await tested.store.read(h)).toMatchObject({ ...winner, lastSeenAtMs: 1_000 })
    expect(await tested.store.readFacts([h])).toMatchObject([{ sealedFacts: row.sealedFacts }])
    await tested.store.delete(h)
  })

  it('takes a repeated replace for the success that it is', async () => {
    const h = newHash()
    const row = newRow()
    await tested.store.create(h, row, 5_000)
    const next = nextOf('next')
    expect(await tested.store.replace(h, row.writeId, next)).toBe('replaced')
    expect(await tested.store.replace(h, row.writeId, next)).toBe('replaced')
    await tested.store.delete(h)
  })

  it('replaces the facts too when they are given', async () => {
    const h = newHash()
    const row = newRow()
    await tested.store.create(h, row, 5_000)
    await tested.store.replace(h, row.writeId, { ...nextOf('next'), sealedFacts: Buffer.from('facts') })
    expect(await tested.store.readFacts([h])).toMatchObject([{ sealedFacts: Buffer.from('facts') }])
    await tested.store.delete(h)
  })

  it('shortens the time at a replace, and never prolongs it', async () => {
    const [h, other] = [newHash(), newHash()]
    const row = newRow()
    await tested.store.create(h, row, 5_000)
    await tested.store.create(other, row, 400)
    expect(await tested.store.replace(h, row.writeId, nextOf('next'), 40)).toBe('replaced')
    expect(await tested.store.replace(other, row.writeId, nextOf('next'), 60_000)).toBe('replaced')
    await Promise.all([gone(tested.store, h), gone(tested.store, other)])
  })

  it('brings nothing back: replace and touch of an ended session write nothing', async () => {
    const h = newHash()
    const row = newRow()
    await tested.store.create(h, row, 5_000)
    expect(await tested.store.delete(h)).toBe(true)
    expect(await tested.store.delete(h)).toBe(false)
    expect(await tested.store.replace(h, row.writeId, nextOf('next'))).toBe('gone')
    expect(await tested.store.touch(h, 2_000, 5_000)).toBe(false)
    expect(await tested.store.exist([h])).toEqual([false])
  })

  it('keeps the latest activity whatever the order of touches, and the write id', async () => {
    const h = newHash()
    const row = newRow()
    await tested.store.create(h, row, 400)
    expect(await tested.store.touch(h, 3_000, 60_000)).toBe(true)
    expect(await tested.store.touch(h, 2_000, 60_000)).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 450))
    expect(await tested.store.read(h)).toMatchObject({ lastSeenAtMs: 3_000, writeId: row.writeId })
    await tested.store.touch(h, 3_001, 30)
    await gone(tested.store, h)
  })

  it('lists every session when scanned', async () => {
    const hs = Array.from({ length: 30 }, newHash)
    await Promise.all(hs.map((h) => tested.store.create(h, newRow(), 5_000)))
    const found = new Set<string>()
    for await (const batch of tested.store.scan()) for (const h of batch) found.add(h)
    expect(hs.filter((h) => !found.has(h))).toEqual([])
    await Promise.all(hs.map((h) => tested.store.delete(h)))
  })

  it('deletes several at once, and says of each what it was', async () => {
    const [full, gone, other] = [newHash(), newHash(), newHash()]
    const row = newRow({ sealedFacts: allBytes })
    await Promise.all([tested.store.create(full, row, 60_000), tested.store.create(other, row, 60_000)])
    expect(await tested.store.deleteEach([])).toEqual([])
    expect(await tested.store.deleteEach([full, gone])).toEqual([
      { existed: true, sealedFacts: allBytes },
      { existed: false, sealedFacts: undefined },
    ])
    expect(await tested.store.exist([full, gone, other])).toEqual([false, false, true])
    const many = Array.from({ length: 600 }, newHash)
    await Promise.all(many.map((h) => tested.store.create(h, row, 60_000)))
    const rows = await tested.store.deleteEach([...many, full])
    expect(rows.filter((one) => one?.existed)).toHaveLength(600)
    expect(rows.at(-1)).toEqual({ existed: false, sealedFacts: undefined })
    expect(await tested.store.exist(many)).not.toContain(true)
  })

  it('hands over what it takes away, the same to the same attempt, and nothing to another', async () => {
    const h = newHash()
    const row = newRow()
    const { sealedRecord, writeId } = row
    await tested.store.create(h, row, 5_000)
    expect(await tested.store.readTaken(h, 'one')).toBeUndefined()
    expect(await tested.store.take(h, 'one', 5_000)).toMatchObject({ sealedRecord, writeId })
    expect(await tested.store.exist([h])).toEqual([false])
    expect(await tested.store.take(h, 'one', 5_000)).toMatchObject({ sealedRecord, writeId })
    expect(await tested.store.readTaken(h, 'one')).toMatchObject({ sealedRecord, writeId })
    expect(await tested.store.take(h, 'two', 5_000)).toBeUndefined()
    expect(await tested.store.readTaken(h, 'two')).toBeUndefined()
  })

  it('forgets what it took away at the end of the time that was asked for', async () => {
    const h = newHash()
    await tested.store.create(h, newRow(), 5_000)
    await tested.store.take(h, 'one', 40)
    await eventually(async () => expect(await tested.store.readTaken(h, 'one')).toBeUndefined())
  })
}
