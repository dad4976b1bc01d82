import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { hashSessionId, newSessionId, newWriteId } from '../../../src/session/record/keys.ts'
import type { SessionRow, SessionStore } from '../../../src/session/store/contract.ts'
import { createMemoryStore } from '../../../src/session/store/memory/store.ts'
import type { RedisAddress } from '../../../src/session/store/redis/connection/connection.ts'
import { createRedisStore } from '../../../src/session/store/redis/store.ts'
import { silentLogger } from '../../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../../src/telemetry/measures/metrics.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/ports.ts'
import { type RedisServer, startRedis } from '../../support/redis/redis.ts'
import { startCluster, startSentinelGroup } from '../../support/redis/redis-groups.ts'

const lifetimeSeconds = 36_000
const telemetry = { log: silentLogger(), metrics: noMetrics }

/** A store on something that is stopped after it. */
interface OpenedStore {
  readonly store: SessionStore
  readonly stop: () => Promise<unknown>
}

const openRedis = (
  address: RedisAddress,
  stop: OpenedStore['stop'] = async () => undefined,
): OpenedStore => ({
  store: createRedisStore({ ...address, sessionMaxLifetime: lifetimeSeconds }, { telemetry }),
  stop,
})
const addressOf = ({ port }: RedisServer) => ({ host: '127.0.0.1', port })
const stores: readonly (readonly [string, () => Promise<OpenedStore>])[] = [
  [
    'memory',
    async () => ({
      store: createMemoryStore({ sessionMaxLifetime: lifetimeSeconds }, { now: Date.now }),
      stop: async () => undefined,
    }),
  ],
  ['Redis', async () => openRedis({ redisUrl: inject('redisUrl') })],
  [
    'Redis that keeps slots apart behind one address',
    async () => {
      const server = await startRedis({
        conf: { 'cluster-enabled': 'yes', 'cluster-port': `${await freePort()}` },
      })
      const client = server.client()
      await client.cluster('ADDSLOTS', ...Array.from({ length: 16_384 }, (_one, slot) => slot))
      await eventually(async () => expect(await client.cluster('INFO')).toContain('cluster_state:ok'), 20_000)
      return openRedis({ redisUrl: server.url }, server.stop)
    },
  ],
  [
    'Redis behind Sentinels',
    async () => {
      const group = await startSentinelGroup()
      return openRedis({ redisSentinels: group.sentinels.map(addressOf) }, group.stop)
    },
  ],
  [
    'Redis Cluster',
    async () => {
      const group = await startCluster()
      return openRedis({ redisClusterNodes: group.masters.map(addressOf) }, group.stop)
    },
  ],
]

const newHash = (): string => hashSessionId(newSessionId())
/** Every byte value, because sealed bytes are no text. */
const allBytes = Buffer.from(Array.from({ length: 256 }, (_one, index) => index))
const newRow = (row: Partial<SessionRow> = {}): SessionRow => ({
  sealedRecord: allBytes,
  writeId: newWriteId(),
  sealedFacts: Buffer.from([0, 255, 10]),
  lastSeenAtMs: 1_000,
  ...row,
})
const nextOf = (text: string): Pick<SessionRow, 'sealedRecord' | 'writeId'> => ({
  sealedRecord: Buffer.from(text),
  writeId: newWriteId(),
})
const everything = { offset: 0, count: 1_000 }
const gone = (store: SessionStore, h: string): Promise<void> =>
  eventually(async () => expect(await store.read(h)).toBeUndefined())

describe.each(stores)('the session store in %s', (name, open) => {
  let opened: OpenedStore
  let store: SessionStore
  beforeAll(async () => {
    opened = await open()
    store = opened.store
    await eventually(() => store.ping(), 20_000)
  }, 60_000)
  afterAll(async () => {
    await store.close()
    await opened.stop()
  })

  it('becomes ready and answers', async () => {
    await eventually(() => store.ping())
    await eventually(async () => expect(store.status()).toMatchObject({ ready: true, reason: undefined }))
  })

  it('gives back what was created, byte for byte', async () => {
    const h = newHash()
    const row = newRow()
    expect(await store.create(h, row, 5_000)).toBe(true)
    const { sealedRecord, writeId, sealedFacts, lastSeenAtMs } = row
    expect(await store.read(h)).toMatchObject({ sealedRecord, writeId, lastSeenAtMs })
    expect(await store.readFacts([newHash(), h])).toMatchObject([undefined, { sealedFacts, lastSeenAtMs }])
    expect(await store.exist([h, newHash()])).toEqual([true, false])
    await store.delete(h)
  })

  it('never creates over a session', async () => {
    const h = newHash()
    const first = newRow()
    await store.create(h, first, 5_000)
    expect(await store.create(h, newRow({ lastSeenAtMs: 7 }), 5_000)).toBe(false)
    expect(await store.read(h)).toMatchObject({ writeId: first.writeId, lastSeenAtMs: 1_000 })
    await store.delete(h)
  })

  it('takes a repeated create for the success that it is', async () => {
    const h = newHash()
    const row = newRow()
    expect(await store.create(h, row, 5_000)).toBe(true)
    expect(await store.create(h, row, 5_000)).toBe(true)
    await store.delete(h)
  })

  it('forgets a session at the end of its time', async () => {
    const h = newHash()
    await store.create(h, newRow(), 40)
    await gone(store, h)
  })

  it('replaces only what carries the expected write id, once', async () => {
    const h = newHash()
    const row = newRow()
    await store.create(h, row, 5_000)
    const [winner, loser] = [nextOf('winner'), nextOf('loser')]
    const results = await Promise.all([
      store.replace(h, row.writeId, winner),
      store.replace(h, row.writeId, loser),
    ])
    expect(results).toEqual(['replaced', 'conflict'])
    expect(await store.read(h)).toMatchObject({ ...winner, lastSeenAtMs: 1_000 })
    expect(await store.readFacts([h])).toMatchObject([{ sealedFacts: row.sealedFacts }])
    await store.delete(h)
  })

  it('takes a repeated replace for the success that it is', async () => {
    const h = newHash()
    const row = newRow()
    await store.create(h, row, 5_000)
    const next = nextOf('next')
    expect(await store.replace(h, row.writeId, next)).toBe('replaced')
    expect(await store.replace(h, row.writeId, next)).toBe('replaced')
    await store.delete(h)
  })

  it('replaces the facts too when they are given', async () => {
    const h = newHash()
    const row = newRow()
    await store.create(h, row, 5_000)
    await store.replace(h, row.writeId, { ...nextOf('next'), sealedFacts: Buffer.from('facts') })
    expect(await store.readFacts([h])).toMatchObject([{ sealedFacts: Buffer.from('facts') }])
    await store.delete(h)
  })

  it('shortens the time at a replace, and never prolongs it', async () => {
    const [h, other] = [newHash(), newHash()]
    const row = newRow()
    await store.create(h, row, 5_000)
    await store.create(other, row, 400)
    expect(await store.replace(h, row.writeId, nextOf('next'), 40)).toBe('replaced')
    expect(await store.replace(other, row.writeId, nextOf('next'), 60_000)).toBe('replaced')
    await Promise.all([gone(store, h), gone(store, other)])
  })

  it('brings nothing back: replace and touch of an ended session write nothing', async () => {
    const h = newHash()
    const row = newRow()
    await store.create(h, row, 5_000)
    expect(await store.delete(h)).toBe(true)
    expect(await store.delete(h)).toBe(false)
    expect(await store.replace(h, row.writeId, nextOf('next'))).toBe('gone')
    expect(await store.touch(h, 2_000, 5_000)).toBe(false)
    expect(await store.exist([h])).toEqual([false])
  })

  it('keeps the latest activity whatever the order of touches, and the write id', async () => {
    const h = newHash()
    const row = newRow()
    await store.create(h, row, 400)
    expect(await store.touch(h, 3_000, 60_000)).toBe(true)
    expect(await store.touch(h, 2_000, 60_000)).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 450))
    expect(await store.read(h)).toMatchObject({ lastSeenAtMs: 3_000, writeId: row.writeId })
    await store.touch(h, 3_001, 30)
    await gone(store, h)
  })

  it('lists every session when scanned', async () => {
    const hs = Array.from({ length: 30 }, newHash)
    await Promise.all(hs.map((h) => store.create(h, newRow(), 5_000)))
    const found = new Set<string>()
    for await (const batch of store.scan()) for (const h of batch) found.add(h)
    expect(hs.filter((h) => !found.has(h))).toEqual([])
    await Promise.all(hs.map((h) => store.delete(h)))
  })

  it('gives a lease to one owner at a time, and again to the same', async () => {
    const h = newHash()
    const taken = await Promise.all(['a', 'b', 'c'].map((owner) => store.acquireLease(h, owner, 5_000)))
    expect(taken).toEqual([true, false, false])
    expect(await store.acquireLease(h, 'a', 5_000)).toBe(true)
    expect(await store.renewLease(h, 'b', 5_000)).toBe(false)
    await store.releaseLease(h, 'b')
    expect(await store.acquireLease(h, 'b', 5_000)).toBe(false)
    await store.releaseLease(h, 'a')
    expect(await store.acquireLease(h, 'b', 400)).toBe(true)
    await eventually(async () => expect(await store.acquireLease(h, 'c', 5_000)).toBe(true))
    expect(await store.renewLease(h, 'b', 5_000)).toBe(false)
    await store.releaseLease(h, 'c')
  })

  it('renews a lease beyond its first end', async () => {
    const h = newHash()
    await store.acquireLease(h, 'a', 400)
    expect(await store.renewLease(h, 'a', 5_000)).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 450))
    expect(await store.acquireLease(h, 'b', 5_000)).toBe(false)
    await store.releaseLease(h, 'a')
  })

  it('takes each answer of a device once, and keeps the device alive from the last one on', async () => {
    const [h, other] = [newHash(), newHash()]
    expect(await store.markDevice(h, 'challenge-1', 60_000)).toBe(true)
    expect(await store.markDevice(h, 'challenge-2', 60_000)).toBe(true)
    expect(await store.markDevice(h, 'challenge-1', 90_000)).toBe(false)
    const [left, none] = await store.deviceLivesMs([h, other])
    expect(left).toBeGreaterThan(50_000)
    expect(left).toBeLessThanOrEqual(60_000)
    expect(none).toBe(0)
    expect(await store.markDevice(h, 'challenge-3', 300)).toBe(true)
    await eventually(async () => expect(await store.deviceLivesMs([h])).toEqual([0]))
  })

  it('keeps members of an index with their scores until they are removed or its time is over', async () => {
    const index = `coatcheck:by-sub:${randomUUID()}`
    const issuedAtSeconds = Math.floor(Date.now() / 1_000)
    const members = Array.from({ length: 3 }, () => ({ h: newHash(), issuedAtSeconds }))
    await Promise.all(members.map((member) => store.addToIndex(index, member, 5_000)))
    const sorted = (list: readonly { h: string }[]): readonly string[] => list.map(({ h }) => h).sort()
    expect(sorted(await store.readIndex(index, everything))).toEqual(sorted(members))
    expect((await store.readIndex(index, everything))[0]?.issuedAtSeconds).toBe(issuedAtSeconds)
    await store.removeFromIndex(
      index,
      members.slice(1).map(({ h }) => h),
    )
    await store.removeFromIndex(index, [])
    expect(await store.readIndex(index, everything)).toEqual(members.slice(0, 1))
    await store.removeFromIndex(
      index,
      members.map(({ h }) => h),
    )
    expect(await store.readIndex(index, everything)).toEqual([])
  })

  it('keeps an index as long as its longest member', async () => {
    const index = `coatcheck:by-sub:${randomUUID()}`
    const issuedAtSeconds = Math.floor(Date.now() / 1_000)
    await store.addToIndex(index, { h: newHash(), issuedAtSeconds }, 5_000)
    await store.addToIndex(index, { h: newHash(), issuedAtSeconds }, 30)
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(await store.readIndex(index, everything)).toHaveLength(2)
  })

  it('prunes index members that outlived every session, but none whose session lives', async () => {
    const index = `coatcheck:by-sub:${randomUUID()}`
    const nowSeconds = Math.floor(Date.now() / 1_000)
    const longAgo = nowSeconds - lifetimeSeconds - 10
    const [dead, living, fresh] = [newHash(), newHash(), newHash()]
    await store.create(living, newRow(), 5_000)
    await store.addToIndex(index, { h: dead, issuedAtSeconds: longAgo }, 5_000)
    await store.addToIndex(index, { h: living, issuedAtSeconds: longAgo }, 5_000)
    await store.addToIndex(index, { h: fresh, issuedAtSeconds: nowSeconds }, 5_000)
    const kept = (await store.readIndex(index, everything)).map(({ h }) => h)
    expect(new Set(kept)).toEqual(new Set([living, fresh]))
    await store.delete(living)
  })

  it('redeems a state once, by its own clock', async () => {
    const state = randomUUID()
    const results = await Promise.all([1, 2, 3].map(() => store.redeemState(state, 5_000)))
    expect(results.map(({ redeemed }) => redeemed)).toEqual([true, false, false])
    expect(Math.abs((results[0]?.timeMs ?? 0) - Date.now())).toBeLessThan(5_000)
  })

  it('remembers tombstones with the time of their writing, for as long as asked', async () => {
    const keys = [1, 2].map(() => `coatcheck:ended:${randomUUID()}`)
    const [first = '', second = ''] = keys
    const { timeMs } = await store.redeemState(randomUUID(), 5_000)
    await store.writeTombstone(first, 5_000)
    const [written, absent] = await store.readTombstones(keys)
    expect(written).toBeGreaterThanOrEqual(timeMs)
    expect(absent).toBeUndefined()
    await store.writeTombstone(second, 30)
    await eventually(async () => expect(await store.readTombstones([second])).toEqual([undefined]))
  })

  it('remembers executed logout tokens', async () => {
    const jti = randomUUID()
    expect(await store.isTokenUsed(jti)).toBe(false)
    await store.recordTokenUse(jti, 400)
    expect(await store.isTokenUsed(jti)).toBe(true)
    await eventually(async () => expect(await store.isTokenUsed(jti)).toBe(false))
  })

  it('counts within a window and starts anew after it', async () => {
    const counter = randomUUID()
    expect([await store.count(counter, 400), await store.count(counter, 400)]).toEqual([1, 2])
    await eventually(async () => expect(await store.count(counter, 400)).toBe(1))
  })

  it('tells of every write and of the end of a session', async () => {
    await eventually(async () => expect(store.changes.isLive()).toBe(true))
    const h = newHash()
    const row = newRow()
    let told = 0
    const stop = store.changes.subscribe((changed) => {
      if (changed === h) told += 1
    })
    const tells = async (work: () => Promise<unknown>): Promise<void> => {
      const before = told
      await work()
      await eventually(async () => expect(told).toBeGreaterThan(before))
    }
    await tells(() => store.create(h, row, 5_000))
    await tells(() => store.replace(h, row.writeId, nextOf('next')))
    await tells(() => store.touch(h, 2_000, 5_000))
    await tells(() => store.touch(h, 2_000, 10))
    await tells(() => gone(store, h))
    const last = told
    stop()
    await store.create(h, row, 5_000)
    await store.delete(h)
    expect(told).toBe(last)
  })

  it('deletes several at once, and says of each what it was', async () => {
    const [full, gone, other] = [newHash(), newHash(), newHash()]
    const row = newRow({ sealedFacts: allBytes })
    await Promise.all([store.create(full, row, 60_000), store.create(other, row, 60_000)])
    expect(await store.deleteEach([])).toEqual([])
    expect(await store.deleteEach([full, gone])).toEqual([
      { existed: true, sealedFacts: allBytes },
      { existed: false, sealedFacts: undefined },
    ])
    expect(await store.exist([full, gone, other])).toEqual([false, false, true])
    const many = Array.from({ length: 600 }, newHash)
    await Promise.all(many.map((h) => store.create(h, row, 60_000)))
    const rows = await store.deleteEach([...many, full])
    expect(rows.filter((one) => one?.existed)).toHaveLength(600)
    expect(rows.at(-1)).toEqual({ existed: false, sealedFacts: undefined })
    expect(await store.exist(many)).not.toContain(true)
  })

  it('takes members out of several indexes at once', async () => {
    const [one, other] = [`coatcheck:by-sub:${randomUUID()}`, `coatcheck:by-sid:${randomUUID()}`]
    const [h, kept] = [newHash(), newHash()]
    for (const key of [one, other]) {
      await store.addToIndex(key, { h, issuedAtSeconds: 1 }, 60_000)
      await store.addToIndex(key, { h: kept, issuedAtSeconds: 1 }, 60_000)
    }
    await store.removeFromIndexes([])
    await store.removeFromIndexes([
      [one, h],
      [other, h],
      [`coatcheck:by-sub:${randomUUID()}`, h],
      [one, newHash()],
    ])
    expect(await store.readIndex(one, everything)).toEqual([{ h: kept, issuedAtSeconds: 1 }])
    expect(await store.readIndex(other, everything)).toEqual([{ h: kept, issuedAtSeconds: 1 }])
  })

  it('hands over what it takes away, the same to the same attempt, and nothing to another', async () => {
    const h = newHash()
    const row = newRow()
    const { sealedRecord, writeId } = row
    await store.create(h, row, 5_000)
    expect(await store.readTaken(h, 'one')).toBeUndefined()
    expect(await store.take(h, 'one', 5_000)).toMatchObject({ sealedRecord, writeId })
    expect(await store.exist([h])).toEqual([false])
    expect(await store.take(h, 'one', 5_000)).toMatchObject({ sealedRecord, writeId })
    expect(await store.readTaken(h, 'one')).toMatchObject({ sealedRecord, writeId })
    expect(await store.take(h, 'two', 5_000)).toBeUndefined()
    expect(await store.readTaken(h, 'two')).toBeUndefined()
  })

  it('forgets what it took away at the end of the time that was asked for', async () => {
    const h = newHash()
    await store.create(h, newRow(), 5_000)
    await store.take(h, 'one', 40)
    await eventually(async () => expect(await store.readTaken(h, 'one')).toBeUndefined())
  })

  it('reads an index in pieces, from either end, as far as asked', async () => {
    const index = store.keys.bySubject(randomUUID())
    const many = name === 'Redis' ? 40_000 : 600
    const hs = Array.from({ length: many }, newHash)
    // Younger than any session may be, so that none is pruned.
    const oldestSeconds = Math.floor(Date.now() / 1_000) - lifetimeSeconds / 2
    const issuedAt = (place: number): number => oldestSeconds + place / 4
    for (let at = 0; at < many; at += 500) {
      const piece = hs.slice(at, at + 500)
      await Promise.all(
        piece.map((h, place) =>
          store.addToIndex(index, { h, issuedAtSeconds: issuedAt(at + place) }, 60_000),
        ),
      )
    }
    const read = async (range: object): Promise<readonly string[]> =>
      (await store.readIndex(index, { offset: 0, count: 3, ...range })).map(({ h }) => h)
    expect(await read({})).toEqual(hs.slice(0, 3))
    expect(await read({ newestFirst: true })).toEqual(hs.slice(-3).toReversed())
    expect(await read({ newestFirst: true, offset: many - 2 })).toEqual(hs.slice(0, 2).toReversed())
    expect(await read({ upToSeconds: issuedAt(1) })).toEqual(hs.slice(0, 2))
    expect(await read({ newestFirst: true, upToSeconds: issuedAt(1) })).toEqual(hs.slice(0, 2).toReversed())
    const found = await store.exist(hs)
    expect(found.every((exists) => exists === false)).toBe(true)
    await store.removeFromIndex(index, hs)
    expect(await read({})).toEqual([])
  }, 60_000)

  it('keeps frontends apart, over one feed: nothing of one is anything at another', async () => {
    await eventually(async () => expect(store.changes.isLive()).toBe(true), 10_000)
    const shop = store.forFrontend('shop', { sessionMaxLifetime: lifetimeSeconds })
    const h = newHash()
    const heard: string[] = []
    const stops = [
      store.changes.subscribe((changed) => void (changed === h && heard.push('unnamed'))),
      shop.changes.subscribe((changed) => void (changed === h && heard.push('shop'))),
    ]
    await shop.create(h, newRow(), 5_000)
    expect(await store.exist([h])).toEqual([false])
    expect(await shop.exist([h])).toEqual([true])
    expect(await store.take(h, 'a', 1_000)).toBeUndefined()
    expect(await shop.acquireLease(h, 'a', 1_000)).toBe(true)
    expect(await store.acquireLease(h, 'b', 1_000)).toBe(true)
    expect((await shop.redeemState('state-of-both', 1_000)).redeemed).toBe(true)
    expect((await store.redeemState('state-of-both', 1_000)).redeemed).toBe(true)
    expect(await shop.count('of-both', 1_000)).toBe(1)
    expect(await store.count('of-both', 1_000)).toBe(1)
    const scanned: string[] = []
    for await (const batch of store.scan()) scanned.push(...batch)
    expect(scanned).not.toContain(h)
    for await (const batch of shop.scan()) scanned.push(...batch)
    expect(scanned).toContain(h)
    await eventually(() => expect(heard).toContain('shop'))
    expect(heard).not.toContain('unnamed')
    for (const stop of stops) stop()
    await shop.delete(h)
    await shop.close()
    expect((await store.exist([h]))[0]).toBe(false)
  })
})
