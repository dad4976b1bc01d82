import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { type RedisCluster, startCluster } from '../../support/redis/redis-groups.ts'
import { type LoggedStore, newHash, newRow, openStore, operations, untilReady } from './redis-stores.ts'

const setupMs = 60_000
/** Everything is answered within two seconds; a busy machine may look a second later. */
const busyAnswerMs = 3_000

describe('on a Cluster, the store', () => {
  let cluster: RedisCluster
  let logged: LoggedStore

  beforeAll(async () => {
    cluster = await startCluster()
    const redisClusterNodes = cluster.masters.map(({ port }) => ({ host: '127.0.0.1', port }))
    logged = openStore({ redisClusterNodes })
    await untilReady(logged, setupMs)
  }, setupMs)

  afterAll(async () => {
    await logged?.store.close()
    await cluster?.stop()
  })

  it('carries out every operation, whichever the slots', async () => {
    const { store } = logged
    for (let round = 0; round < 10; round += 1) {
      const h = newHash()
      for (const [, operate] of operations) await operate(store, h)
    }
    const hs = Array.from({ length: 30 }, newHash)
    await Promise.all(hs.map((h) => store.create(h, newRow(), 60_000)))
    expect(await store.exist(hs)).toEqual(hs.map(() => true))
    const found: string[] = []
    for await (const batch of store.scan()) found.push(...batch)
    expect(hs.filter((h) => !found.includes(h))).toEqual([])
  })

  it('prunes an index whose members live in other slots', async () => {
    const { store } = logged
    const index = 'coatcheck:by-sub:pruned'
    const hs = Array.from({ length: 12 }, newHash)
    const living = hs[0] ?? ''
    await store.create(living, newRow(), 60_000)
    for (const h of hs) await store.addToIndex(index, { h, issuedAtSeconds: 1 }, 60_000)
    const last = hs.at(-1)
    expect(new Set((await store.readIndex(index, { offset: 0, count: 1_000 })).map(({ h }) => h))).toEqual(
      new Set([living, last]),
    )
  })

  it('hears changes at every master', async () => {
    const { store } = logged
    const waiting = new Set(Array.from({ length: 60 }, newHash))
    const stop = store.changes.subscribe((h) => waiting.delete(h ?? ''))
    await Promise.all([...waiting].map((h) => store.create(h, newRow(), 5_000)))
    await eventually(() => expect(waiting.size).toBe(0))
    stop()
  })

  it('while a master is dead caches nothing, loses no session, and goes on with its replica', async () => {
    const { store } = logged
    const [first] = cluster.masters
    const hs = Array.from({ length: 40 }, newHash)
    await Promise.all(hs.map((h) => store.create(h, newRow(), 600_000)))
    await first?.client().wait(1, 5_000)
    const epoch = store.changes.epoch()
    await first?.kill()
    // Not isLive(): a busy machine may look only when the replica has taken over already.
    await eventually(() => expect(store.changes.epoch()).toBeGreaterThan(epoch))
    const outcomes = new Set<string>()
    await eventually(async () => {
      for (const h of hs) {
        const startedMs = performance.now()
        const outcome = await store
          .touch(h, 2_000, 600_000)
          .then(String, (error: { code?: string }) => error.code)
        outcomes.add(String(outcome))
        expect(performance.now() - startedMs).toBeLessThan(busyAnswerMs)
        expect(outcome).toBe('true')
      }
    }, 30_000)
    // "false" would be a session that was lost.
    expect(['session_store_unavailable', 'true']).toEqual(expect.arrayContaining([...outcomes]))
    await untilReady(logged, 15_000)
    expect(store.changes.epoch()).toBeGreaterThan(epoch)
    const waiting = new Set(hs)
    const stop = store.changes.subscribe((h) => waiting.delete(h ?? ''))
    await Promise.all(hs.map((h) => store.delete(h)))
    await eventually(() => expect(waiting.size).toBe(0))
    stop()
  }, 60_000)

  it('counts a part without a master as a feed that is not live', async () => {
    const { mastersOf } = await import('../../../src/session/store/redis/connection/topology.ts')
    const whole = [
      [0, 8_000, ['a', 1, 'id'], ['b', 2, 'id']],
      [8_001, 16_383, ['c', 3, 'id']],
    ]
    expect(mastersOf(whole)).toEqual([
      { host: 'a', port: 1 },
      { host: 'c', port: 3 },
    ])
    expect(mastersOf(whole.slice(1))).toBeUndefined()
    expect(mastersOf([[0, 16_383, ['', 1, 'id']]])).toBeUndefined()
    expect(mastersOf('garbage')).toBeUndefined()
  })
})
