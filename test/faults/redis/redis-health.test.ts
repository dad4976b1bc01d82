import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { makeCertificates } from '../../support/fronts/certificates.ts'
import { freePort } from '../../support/ports.ts'
import { type RedisConf, type RedisServer, startRedis } from '../../support/redis/redis.ts'
import { type RedisGate, startRedisGate } from '../../support/redis/redis-gate.ts'
import { startCluster } from '../../support/redis/redis-groups.ts'
import {
  expectUnavailable,
  type LoggedStore,
  newHash,
  newRow,
  openStore,
  untilReady,
} from '../../support/redis/redis-stores.ts'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function startServer(conf: RedisConf = {}): Promise<RedisServer> {
  const server = await startRedis({ conf })
  cleanups.push(() => server.stop())
  return server
}

function open(options: Parameters<typeof openStore>[0]): LoggedStore {
  const logged = openStore(options)
  cleanups.push(() => logged.store.close())
  return logged
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const outages = ({ messages }: LoggedStore): readonly string[] =>
  messages.filter((message) => message.includes('session store'))

/** Nothing else of this process gets its turn. */
function stall(ms: number): void {
  const endMs = performance.now() + ms
  while (performance.now() < endMs);
}

describe('a stall of our own event loop', () => {
  it('of 1.2 s is no outage of Redis, and costs no command', async () => {
    const server = await startServer()
    const logged = open({ redisUrl: server.url })
    await untilReady(logged)
    const h = newHash()
    const row = newRow()
    await logged.store.create(h, row, 60_000)
    for (let round = 0; round < 3; round += 1) {
      const reading = logged.store.read(h)
      await pause(round)
      stall(1_200)
      expect(await reading).toMatchObject({ writeId: row.writeId })
    }
    expect(outages(logged)).toEqual([])
  })

  it('does not make a frozen Redis look alive', async () => {
    const server = await startServer()
    const logged = open({ redisUrl: server.url })
    await untilReady(logged)
    server.freeze()
    const startedAtMs = performance.now()
    await expectUnavailable(logged.store.read(newHash()))
    expect(performance.now() - startedAtMs).toBeLessThan(1_500)
    server.thaw()
  })
})

describe('an old Redis', () => {
  const sayOld = (gate: RedisGate | undefined): void =>
    gate?.rewrite((answer) =>
      answer.replace(/^(redis_version:)\d(\.\d)/m, '$16.0').replace('valkey_', 'other_'),
    )

  it('is refused by name, with the least version', async () => {
    const server = await startServer()
    const gate = await startRedisGate(server.port)
    cleanups.push(() => gate.close())
    sayOld(gate)
    const logged = open({ redisUrl: gate.url })
    await eventually(() => expect(logged.store.status().reason).toMatch(/^Redis 6\.0\S* is too old: 6\.2 /))
    expect(logged.store.status().ready).toBe(false)
    expect(logged.text()).toContain('is too old')
  })

  it('is refused, by name too, where it is one master of a Cluster, whichever', async () => {
    const cluster = await startCluster({ isGated: true })
    cleanups.push(() => cluster.stop())
    const masters = cluster.gates.slice(0, cluster.masters.length)
    for (const gate of masters) {
      sayOld(gate)
      const redisClusterNodes = masters.map(({ port }) => ({ host: '127.0.0.1', port }))
      const logged = open({ redisClusterNodes })
      await eventually(() => expect(logged.store.status().reason).toMatch(/^Redis 6\.0\S* is too old: 6\.2 /))
      expect(logged.text()).toContain('is too old')
      gate.rewrite((answer) => answer)
    }
  }, 30_000)
})

describe('a Cluster that cannot be entered', () => {
  it('is told by what its nodes say', async () => {
    const server = await startServer({ 'cluster-enabled': 'yes' })
    const redisClusterNodes = [{ host: '127.0.0.1', port: server.port }]
    const { store } = open({ redisClusterNodes, redisUsername: 'nobody', redisPassword: 'wrong' })
    await eventually(() => expect(store.status().reason).toBe('Redis refuses our password.'))
  })

  it('because it is none is told so', async () => {
    const server = await startServer()
    const { store } = open({ redisClusterNodes: [{ host: '127.0.0.1', port: server.port }] })
    await eventually(() => expect(store.status().reason).toBe('Redis is no Cluster.'))
  })
})

describe('ways to Redis', () => {
  it('lead through a socket of this machine', async () => {
    const port = await freePort()
    const socket = join(process.env.TMPDIR ?? '/tmp', `coatcheck-${port}.sock`)
    await startServer({ unixsocket: socket })
    const logged = open({ redisUrl: `unix://${socket}?db=3` })
    await untilReady(logged)
    const h = newHash()
    expect(await logged.store.create(h, newRow(), 5_000)).toBe(true)
    expect((await logged.store.exist([h]))[0]).toBe(true)
  })

  it('say over TLS which name they mean', async () => {
    const certificates = await makeCertificates()
    cleanups.push(() => certificates.remove())
    const named = Promise.withResolvers<string | false | null>()
    const server = createTlsServer(
      { cert: await readFile(certificates.certificateFile), key: await readFile(certificates.keyFile) },
      (socket) => {
        named.resolve(socket.servername)
        socket.destroy()
      },
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => server.close())
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    open({ redisUrl: `rediss://localhost:${port}`, redisTlsCa: certificates.ca })
    expect(await named.promise).toBe('localhost')
  })
})

describe('a right that is withdrawn', () => {
  it('makes no value of ours a foreign one: nothing is replaced, counted anew, redeemed or taken over', async () => {
    const server = await startServer()
    const { store } = open({ redisUrl: server.url })
    await eventually(() => store.ping())
    const admin = server.client()
    const h = newHash()
    const index = store.keys.bySubject('x')
    const member = { h, issuedAtSeconds: 1 }
    await store.addToIndex(index, member, 5_000)
    await store.acquireLease(h, 'another', 5_000)
    await store.redeemState('s', 5_000)
    await store.markDevice(h, 'challenge', 5_000)
    await store.count('login ada', 5_000)
    await store.create(h, newRow(), 5_000)
    const change = (sign: '+' | '-'): Promise<unknown> =>
      admin.call(
        'ACL',
        'SETUSER',
        'default',
        ...['zadd', 'get', 'incr', 'hmget'].map((right) => `${sign}${right}`),
      )
    await change('-')
    const refused = [
      store.addToIndex(index, { ...member, h: newHash() }, 5_000),
      store.acquireLease(h, 'me', 5_000),
      store.redeemState('s', 5_000),
      store.markDevice(h, 'challenge', 5_000),
      store.count('login ada', 5_000),
      store.take(h, 'attempt', 5_000),
    ]
    await Promise.all(refused.map((one) => expectUnavailable(one)))
    await change('+')
    expect(await store.readIndex(index, { offset: 0, count: 9 })).toEqual([member])
    expect(await store.acquireLease(h, 'me', 5_000)).toBe(false)
    expect((await store.redeemState('s', 5_000)).redeemed).toBe(false)
    expect(await store.markDevice(h, 'challenge', 5_000)).toBe(false)
    expect(await store.count('login ada', 5_000)).toBe(2)
    expect(await store.take(h, 'attempt', 5_000)).toBeDefined()
  })
})

describe('foreign values under our keys', () => {
  it('are replaced and told of: a limit counts anew, an index takes its member, a lease is taken', async () => {
    const server = await startServer()
    const logged = open({ redisUrl: server.url })
    await untilReady(logged)
    const { store } = logged
    const admin = server.client()
    const h = newHash()
    await admin.set(store.keys.count('login ada'), 'text')
    await admin.set(store.keys.bySubject('x'), 'text')
    await admin.set(store.keys.count('without end'), '41')
    await admin.set(store.keys.count('too long'), '41', 'PX', 60_000)
    await admin.set(store.keys.count('ours'), '41', 'PX', 4_000)
    await admin.lpush(store.keys.lease(h), 'text')
    await admin.lpush(store.keys.usedState('s'), 'text')
    await admin.lpush(store.keys.ended('e'), 'text')
    await admin.set(store.keys.ended('f'), 'text')
    expect([await store.count('login ada', 5_000), await store.count('login ada', 5_000)]).toEqual([1, 2])
    const others = ['without end', 'too long', 'ours'].map((of) => store.count(of, 5_000))
    expect(await Promise.all(others)).toEqual([1, 1, 42])
    expect(await admin.pttl(store.keys.count('without end'))).toBeGreaterThan(0)
    expect(await store.readIndex(store.keys.bySubject('x'), { offset: 0, count: 9 })).toEqual([])
    const member = { h, issuedAtSeconds: 1 }
    await store.addToIndex(store.keys.bySubject('x'), member, 5_000)
    expect(await store.readIndex(store.keys.bySubject('x'), { offset: 0, count: 9 })).toEqual([member])
    expect(await store.renewLease(h, 'me', 5_000)).toBe(false)
    await store.releaseLease(h, 'me')
    expect(await store.acquireLease(h, 'me', 5_000)).toBe(true)
    await admin.set(store.keys.taken(h), 'text')
    expect(await store.take(h, 'attempt', 5_000)).toBeUndefined()
    await admin.set(store.keys.session(h), 'text')
    expect(await store.take(h, 'attempt', 5_000)).toBeUndefined()
    expect((await store.redeemState('s', 5_000)).redeemed).toBe(true)
    const tombstones = await store.readTombstones(['e', 'f'].map(store.keys.ended))
    expect(tombstones).toEqual([undefined, undefined])
    const told = logged.messages.filter((message) => message.includes('none of ours'))
    expect(told).toHaveLength(4)
    expect(store.status().ready).toBe(true)
  })
})
