import { expect, it } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { newHash, newRow, sessionMaxLifetime } from '../../../support/redis/redis-stores.ts'
import { gone, nextOf } from './rows.ts'
import type { Tested } from './tested.ts'

/** What is told of changes, and to whom. */
export function feedCases(tested: Tested): void {
  it('tells of every write and of the end of a session', async () => {
    await eventually(async () => expect(tested.store.changes.isLive()).toBe(true))
    const h = newHash()
    const row = newRow()
    let told = 0
    const stop = tested.store.changes.subscribe((changed) => {
      if (changed === h) told += 1
    })
    const tells = async (work: () => Promise<unknown>): Promise<void> => {
      const before = told
      await work()
      await eventually(async () => expect(told).toBeGreaterThan(before))
    }
    await tells(() => tested.store.create(h, row, 5_000))
    await tells(() => tested.store.replace(h, row.writeId, nextOf('next')))
    await tells(() => tested.store.touch(h, 2_000, 5_000))
    await tells(() => tested.store.touch(h, 2_000, 10))
    await tells(() => gone(tested.store, h))
    const last = told
    stop()
    await tested.store.create(h, row, 5_000)
    await tested.store.delete(h)
    expect(told).toBe(last)
  })

  it('keeps frontends apart, over one feed: nothing of one is anything at another', async () => {
    await eventually(async () => expect(tested.store.changes.isLive()).toBe(true), 10_000)
    const shop = tested.store.forFrontend('shop', { sessionMaxLifetime: sessionMaxLifetime })
    const h = newHash()
    const heard: string[] = []
    const stops = [
      tested.store.changes.subscribe((changed) => void (changed === h && heard.push('unnamed'))),
      shop.changes.subscribe((changed) => void (changed === h && heard.push('shop'))),
    ]
    await shop.create(h, newRow(), 5_000)
    expect(await tested.store.exist([h])).toEqual([false])
    expect(await shop.exist([h])).toEqual([true])
    expect(await tested.store.take(h, 'a', 1_000)).toBeUndefined()
    expect(await shop.acquireLease(h, 'a', 1_000)).toBe(true)
    expect(await tested.store.acquireLease(h, 'b', 1_000)).toBe(true)
    expect((await shop.redeemState('state-of-both', 1_000)).redeemed).toBe(true)
    expect((await tested.store.redeemState('state-of-both', 1_000)).redeemed).toBe(true)
    expect(await shop.count('of-both', 1_000)).toBe(1)
    expect(await tested.store.count('of-both', 1_000)).toBe(1)
    const scanned: string[] = []
    for await (const batch of tested.store.scan()) scanned.push(...batch)
    expect(scanned).not.toContain(h)
    for await (const batch of shop.scan()) scanned.push(...batch)
    expect(scanned).toContain(h)
    await eventually(() => expect(heard).toContain('shop'))
    expect(heard).not.toContain('unnamed')
    for (const stop of stops) stop()
    await shop.delete(h)
    await shop.close()
    expect((await tested.store.exist([h]))[0]).toBe(false)
  })
}
