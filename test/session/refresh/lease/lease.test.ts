import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { within } from '../../../../src/basics/within.ts'
import { createLimiter } from '../../../../src/session/refresh/failing/limiter.ts'
import { createLease } from '../../../../src/session/refresh/lease/lease.ts'
import { createMemoryStore } from '../../../../src/session/store/memory/store.ts'
import { type ControlledStore, controlStore, unavailable } from '../../support/controlled-store.ts'

const lifeMs = 9_000
let store: ControlledStore

beforeEach(() => {
  vi.useFakeTimers()
  store = controlStore(createMemoryStore({ sessionMaxLifetime: 60 }, { now: Date.now }))
})

afterEach(async () => {
  await store.close()
  vi.useRealTimers()
})

describe('a lease', () => {
  it('is held by one at a time and renewed as long as the work lasts', async () => {
    const [one, two] = [createLease(store, 'h', lifeMs), createLease(store, 'h', lifeMs)]
    expect([await one.acquire(), await two.acquire()]).toEqual([true, false])
    await vi.advanceTimersByTimeAsync(60_000)
    expect([await one.confirm(), await two.acquire()]).toEqual([true, false])
    await one.release()
    expect(await two.acquire()).toBe(true)
    await two.release()
  })

  it('of one that died runs out', async () => {
    const [one, two] = [createLease(store, 'h', lifeMs), createLease(store, 'h', lifeMs)]
    await one.acquire()
    store.before('renewLease', () => Promise.reject(unavailable()))
    await vi.advanceTimersByTimeAsync(lifeMs)
    expect(await two.acquire()).toBe(true)
    store.before('renewLease', undefined)
    expect(await one.confirm()).toBe(false)
    await one.release()
    expect(await two.confirm()).toBe(true)
    await two.release()
  })

  it('that ran out unnoticed is taken again when nobody else has', async () => {
    const one = createLease(store, 'h', lifeMs)
    await one.acquire()
    store.before('renewLease', () => Promise.reject(unavailable()))
    await vi.advanceTimersByTimeAsync(lifeMs)
    store.before('renewLease', undefined)
    expect(await one.confirm()).toBe(true)
    await one.release()
  })

  it('is not asked about while it is certain', async () => {
    const one = createLease(store, 'h', lifeMs)
    await one.acquire()
    store.calls.length = 0
    expect(await one.confirm()).toBe(true)
    expect(store.calls).toEqual([])
    await one.release()
  })

  it('that cannot be given back is no failure, and is renewed no more', async () => {
    const one = createLease(store, 'h', lifeMs)
    await one.acquire()
    store.before('releaseLease', () => Promise.reject(unavailable()))
    await one.release()
    store.calls.length = 0
    await vi.advanceTimersByTimeAsync(60_000)
    expect(store.calls).toEqual([])
  })
})

describe('a limiter', () => {
  it('lets so many in at a time, in their order', async () => {
    const limiter = createLimiter(2)
    const entered: number[] = []
    const enter = async (name: number): Promise<() => void> => {
      const leave = await limiter.enter()
      entered.push(name)
      return leave
    }
    const [first] = [await enter(1), await enter(2)]
    const [third, fourth] = [enter(3), enter(4)]
    await vi.advanceTimersByTimeAsync(0)
    expect(entered).toEqual([1, 2])
    first()
    const leaveThird = await third
    expect(entered).toEqual([1, 2, 3])
    leaveThird()
    await fourth
    expect(entered).toEqual([1, 2, 3, 4])
  })
})

describe('waiting within a limit', () => {
  it('gives up in time and leaves no timer behind', async () => {
    const never = within(new Promise<never>(() => undefined), 100, () => new Error('too late'))
    const failure = expect(never).rejects.toThrow('too late')
    await vi.advanceTimersByTimeAsync(100)
    await failure
    const timers = vi.getTimerCount()
    expect(await within(Promise.resolve(7), 100, () => new Error('too late'))).toBe(7)
    expect(vi.getTimerCount()).toBe(timers)
  })
})
