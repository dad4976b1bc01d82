import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/ports.ts'
import { type RedisServer, startRedis } from '../../support/redis/redis.ts'
import {
  expectUnavailable,
  type LoggedStore,
  newHash,
  newRow,
  openStore,
  untilReady,
} from '../../support/redis/redis-stores.ts'

const cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function startServer(conf: Readonly<Record<string, string>> = {}): Promise<RedisServer> {
  const server = await startRedis({ conf })
  cleanups.push(() => server.stop())
  return server
}

function open(url: string): LoggedStore {
  const logged = openStore({ redisUrl: url })
  cleanups.push(() => logged.store.close())
  return logged
}

async function startBoth(
  conf?: Readonly<Record<string, string>>,
): Promise<{ readonly server: RedisServer; readonly logged: LoggedStore }> {
  const server = await startServer(conf)
  const logged = open(server.url)
  await untilReady(logged)
  return { server, logged }
}

const unavailable = 'session store unavailable'
const available = 'session store available again'

describe('when Redis is killed, the store', () => {
  it('rejects what was under way, without doing it twice', async () => {
    const { server, logged } = await startBoth()
    server.freeze()
    const counting = expectUnavailable(logged.store.count('once', 60_000))
    await server.kill()
    await counting
    await server.restart()
    await untilReady(logged)
    expect(await logged.store.count('once', 60_000)).toBe(1)
  })
})

describe('when Redis refuses writes, the store', () => {
  it('on a read-only replica says so, still reads, and recovers when it becomes a master', async () => {
    const { server, logged } = await startBoth()
    const { store } = logged
    const h = newHash()
    const row = newRow()
    await store.create(h, row, 60_000)
    const master = await startServer()
    const admin = server.client()
    await admin.set('kept', '1')
    // A master that never answers keeps the replica's own data in place.
    await master.kill()
    await admin.replicaof('127.0.0.1', master.port)
    await expectUnavailable(store.touch(h, 2_000, 60_000))
    expect(store.status().reason).toBe('Redis is a read-only replica.')
    await eventually(async () => expect(await store.read(h)).toMatchObject({ writeId: row.writeId }))
    await admin.replicaof('NO', 'ONE')
    await untilReady(logged)
    expect(await store.touch(h, 2_000, 60_000)).toBe(true)
    expect(logged.messages).toEqual([unavailable, available])
  })

  it('out of memory keeps what there is, refuses new sessions, and recovers', async () => {
    const { server, logged } = await startBoth({ 'maxmemory-policy': 'noeviction' })
    const { store } = logged
    const h = newHash()
    await store.create(h, newRow(), 60_000)
    const index = store.keys.bySubject('ada')
    await store.addToIndex(index, { h, issuedAtSeconds: 1 }, 60_000)
    const admin = server.client()
    await admin.config('SET', 'maxmemory', '1')
    // A login that fails takes nobody's place in the index: by it a logout finds the other sessions.
    await expectUnavailable(store.addToIndex(index, { h: newHash(), issuedAtSeconds: 2 }, 60_000))
    expect(await admin.zrange(index, '0', '-1')).toEqual([h])
    await expectUnavailable(store.create(newHash(), newRow(), 60_000))
    // Several probes later still: what a PING would say does not count.
    await new Promise((resolve) => setTimeout(resolve, 1_300))
    expect(store.status().reason).toBe('Redis is out of memory.')
    expect(await store.read(h)).toBeDefined()
    expect(await store.delete(h)).toBe(true)
    await admin.config('SET', 'maxmemory', '0')
    await untilReady(logged)
    expect(await store.create(h, newRow(), 60_000)).toBe(true)
  })
})

describe('without Redis at the start, the store', () => {
  it('waits, says so once, and works as soon as there is one', async () => {
    const port = await freePort()
    const logged = open(`redis://127.0.0.1:${port}`)
    expect(logged.store.status()).toMatchObject({ ready: false, reason: 'Redis is not connected yet.' })
    await expectUnavailable(logged.store.read(newHash()))
    await eventually(() => expect(logged.store.status().reason).toBe('Redis cannot be reached.'))
    const server = await startRedis({ port })
    cleanups.push(() => server.stop())
    await untilReady(logged)
    expect(logged.messages).toEqual([unavailable, available])
  })

  it('rejects at once instead of queueing, even while Redis accepts connections and answers nothing', async () => {
    const server = await startServer()
    server.freeze()
    const { store } = open(server.url)
    await new Promise((resolve) => setTimeout(resolve, 50))
    const startedMs = performance.now()
    await expectUnavailable(store.read(newHash()))
    // Queued, it would wait for the connection: two seconds.
    expect(performance.now() - startedMs).toBeLessThan(1_000)
  })

  it('can be closed, and is quiet then', async () => {
    const { store, messages } = openStore({ redisUrl: `redis://127.0.0.1:${await freePort()}` })
    await eventually(() => expect(messages).toHaveLength(1))
    await store.close()
    await expectUnavailable(store.read(newHash()))
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(messages).toHaveLength(1)
  })
})

describe('at the start, the store', () => {
  it.each([
    ['allkeys-lru', '100mb', true],
    ['volatile-ttl', '100mb', true],
    ['noeviction', '100mb', false],
    ['allkeys-lru', '0', false],
  ])('with policy %s and limit %s warns of eviction: %s', async (policy, maxmemory, warns) => {
    const { logged } = await startBoth({ 'maxmemory-policy': policy, maxmemory })
    const { store, messages } = logged
    await store.ping()
    await eventually(() => expect(store.status().note !== undefined).toBe(warns))
    expect(messages.some((message) => message.includes('evict'))).toBe(warns)
  })
})

describe('keys that hold something else', () => {
  it('are no session, and no failure of the store', async () => {
    const { server, logged } = await startBoth()
    const { store } = logged
    const h = newHash()
    await server.client().set(`coatcheck:session:{${h}}`, 'text')
    expect(await store.read(h)).toBeUndefined()
    expect(await store.readFacts([h])).toEqual([undefined])
    expect(await store.touch(h, 1, 5_000)).toBe(false)
    expect(await store.replace(h, 'a', newRow())).toBe('gone')
    expect(await store.create(h, newRow(), 5_000)).toBe(false)
    expect(store.status().ready).toBe(true)
  })

  it('with missing or strange fields are no session, or one that is over', async () => {
    const { server, logged } = await startBoth()
    const { store } = logged
    const [h, other] = [newHash(), newHash()]
    await server.client().hset(`coatcheck:session:{${h}}`, 'd', 'x')
    await server.client().hset(`coatcheck:session:{${other}}`, 'd', 'x', 'v', 'v', 't', 'x')
    expect(await store.read(h)).toBeUndefined()
    expect(await store.read(other)).toMatchObject({ lastSeenAtMs: 0 })
  })
})
