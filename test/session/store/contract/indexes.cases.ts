import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { newHash, newRow, sessionMaxLifetime } from '../../../support/redis/redis-stores.ts'
import { everything } from './rows.ts'
import type { Tested } from './tested.ts'

/** Indexes, and what takes lists. */
export function indexCases(tested: Tested): void {
  it('keeps members of an index with their scores until they are removed or its time is over', async () => {
    const index = `coatcheck:by-sub:${randomUUID()}`
    const issuedAtSeconds = Math.floor(Date.now() / 1_000)
    const members = Array.from({ length: 3 }, () => ({ h: newHash(), issuedAtSeconds }))
    await Promise.all(members.map((member) => tested.store.addToIndex(index, member, 5_000)))
    const sorted = (list: readonly { h: string }[]): readonly string[] => list.map(({ h }) => h).sort()
    expect(sorted(await tested.store.readIndex(index, everything))).toEqual(sorted(members))
    expect((await tested.store.readIndex(index, everything))[0]?.issuedAtSeconds).toBe(issuedAtSeconds)
    await tested.store.removeFromIndex(
      index,
      members.slice(1).map(({ h }) => h),
    )
    await tested.store.removeFromIndex(index, [])
    expect(await tested.store.readIndex(index, everything)).toEqual(members.slice(0, 1))
    await tested.store.removeFromIndex(
      index,
      members.map(({ h }) => h),
    )
    expect(await tested.store.readIndex(index, everything)).toEqual([])
  })

  it('keeps an index as long as its longest member', async () => {
    const index = `coatcheck:by-sub:${randomUUID()}`
    const issuedAtSeconds = Math.floor(Date.now() / 1_000)
    await tested.store.addToIndex(index, { h: newHash(), issuedAtSeconds }, 5_000)
    await tested.store.addToIndex(index, { h: newHash(), issuedAtSeconds }, 30)
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(await tested.store.readIndex(index, everything)).toHaveLength(2)
  })

  it('prunes index members that outlived every session, but none whose session lives', async () => {
    const index = `coatcheck:by-sub:${randomUUID()}`
    const nowSeconds = Math.floor(Date.now() / 1_000)
    const longAgo = nowSeconds - sessionMaxLifetime - 10
    const [dead, living, fresh] = [newHash(), newHash(), newHash()]
    await tested.store.create(living, newRow(), 5_000)
    await tested.store.addToIndex(index, { h: dead, issuedAtSeconds: longAgo }, 5_000)
    await tested.store.addToIndex(index, { h: living, issuedAtSeconds: longAgo }, 5_000)
    await tested.store.addToIndex(index, { h: fresh, issuedAtSeconds: nowSeconds }, 5_000)
    await eventually(async () => {
      const kept = (await tested.store.readIndex(index, everything)).map(({ h }) => h)
      expect(new Set(kept)).toEqual(new Set([living, fresh]))
    })
    await tested.store.delete(living)
  })

  it('takes members out of several indexes at once', async () => {
    const [one, other] = [`coatcheck:by-sub:${randomUUID()}`, `coatcheck:by-sid:${randomUUID()}`]
    const [h, kept] = [newHash(), newHash()]
    for (const key of [one, other]) {
      await tested.store.addToIndex(key, { h, issuedAtSeconds: 1 }, 60_000)
      await tested.store.addToIndex(key, { h: kept, issuedAtSeconds: 1 }, 60_000)
    }
    await tested.store.removeFromIndexes([])
    await tested.store.removeFromIndexes([
      [one, h],
      [other, h],
      [`coatcheck:by-sub:${randomUUID()}`, h],
      [one, newHash()],
    ])
    expect(await tested.store.readIndex(one, everything)).toEqual([{ h: kept, issuedAtSeconds: 1 }])
    expect(await tested.store.readIndex(other, everything)).toEqual([{ h: kept, issuedAtSeconds: 1 }])
  })
}
