import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { newHash } from '../../../support/redis/redis-stores.ts'
import type { Tested } from './tested.ts'

/** Leases, devices, and what is remembered for a while. */
export function markCases(tested: Tested): void {
  it('gives a lease to one owner at a time, and again to the same', async () => {
    const h = newHash()
    const taken = await Promise.all(
      ['a', 'b', 'c'].map((owner) => tested.store.acquireLease(h, owner, 5_000)),
    )
    expect(taken).toEqual([true, false, false])
    expect(await tested.store.acquireLease(h, 'a', 5_000)).toBe(true)
    expect(await tested.store.renewLease(h, 'b', 5_000)).toBe(false)
    await tested.store.releaseLease(h, 'b')
    expect(await tested.store.acquireLease(h, 'b', 5_000)).toBe(false)
    await tested.store.releaseLease(h, 'a')
    expect(await tested.store.acquireLease(h, 'b', 400)).toBe(true)
    await eventually(async () => expect(await tested.store.acquireLease(h, 'c', 5_000)).toBe(true))
    expect(await tested.store.renewLease(h, 'b', 5_000)).toBe(false)
    await tested.store.releaseLease(h, 'c')
  })

  it('renews a lease beyond its first end', async () => {
    const h = newHash()
    await tested.store.acquireLease(h, 'a', 400)
    expect(await tested.store.renewLease(h, 'a', 5_000)).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 450))
    expect(await tested.store.acquireLease(h, 'b', 5_000)).toBe(false)
    await tested.store.releaseLease(h, 'a')
  })

  it('takes each answer of a device once, and keeps the device alive from the last one on', async () => {
    const [h, other] = [newHash(), newHash()]
    expect(await tested.store.markDevice(h, 'challenge-1', 60_000)).toBe(true)
    expect(await tested.store.markDevice(h, 'challenge-2', 60_000)).toBe(true)
    expect(await tested.store.markDevice(h, 'challenge-1', 90_000)).toBe(false)
    const [left, none] = await tested.store.deviceLivesMs([h, other])
    expect(left).toBeGreaterThan(50_000)
    expect(left).toBeLessThanOrEqual(60_000)
    expect(none).toBe(0)
    expect(await tested.store.markDevice(h, 'challenge-3', 300)).toBe(true)
    await eventually(async () => expect(await tested.store.deviceLivesMs([h])).toEqual([0]))
  })

  it('redeems a state once, by its own clock', async () => {
    const state = randomUUID()
    const results = await Promise.all([1, 2, 3].map(() => tested.store.redeemState(state, 5_000)))
    expect(results.map(({ redeemed }) => redeemed)).toEqual([true, false, false])
    expect(Math.abs((results[0]?.timeMs ?? 0) - Date.now())).toBeLessThan(5_000)
  })

  it('remembers tombstones with the time of their writing, for as long as asked', async () => {
    const keys = [1, 2].map(() => `coatcheck:ended:${randomUUID()}`)
    const [first = '', second = ''] = keys
    const { timeMs } = await tested.store.redeemState(randomUUID(), 5_000)
    await tested.store.writeTombstone(first, 5_000)
    const [written, absent] = await tested.store.readTombstones(keys)
    expect(written).toBeGreaterThanOrEqual(timeMs)
    expect(absent).toBeUndefined()
    await tested.store.writeTombstone(second, 30)
    await eventually(async () => expect(await tested.store.readTombstones([second])).toEqual([undefined]))
  })

  it('remembers executed logout tokens', async () => {
    const jti = randomUUID()
    expect(await tested.store.isTokenUsed(jti)).toBe(false)
    await tested.store.recordTokenUse(jti, 400)
    expect(await tested.store.isTokenUsed(jti)).toBe(true)
    await eventually(async () => expect(await tested.store.isTokenUsed(jti)).toBe(false))
  })

  it('counts within a window and starts anew after it', async () => {
    const counter = randomUUID()
    expect([await tested.store.count(counter, 400), await tested.store.count(counter, 400)]).toEqual([1, 2])
    await eventually(async () => expect(await tested.store.count(counter, 400)).toBe(1))
  })
}
