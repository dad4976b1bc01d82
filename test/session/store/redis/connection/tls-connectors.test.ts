import dns, { type LookupOptions } from 'node:dns'
import { readFileSync } from 'node:fs'
import type { SecureContextOptions } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { RedisAddress } from '../../../../../src/session/store/redis/connection/connection.ts'
import { eventually } from '../../../../support/eventually.ts'
import { type Certificates, makeCertificates } from '../../../../support/fronts/certificates.ts'
import { type NamedFront, startNamedFront } from '../../../../support/redis/named-front.ts'
import { startRedis } from '../../../../support/redis/redis.ts'
import {
  type RedisCluster,
  startCluster,
  startSentinelGroup,
} from '../../../../support/redis/redis-groups.ts'
import {
  type LoggedStore,
  newHash,
  newRow,
  openStore,
  untilReady,
} from '../../../../support/redis/redis-stores.ts'

const longestMs = 60_000
const patienceMs = 20_000

let ofAll: Certificates
let ofNeighbour: Certificates
const cleanups: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  ofAll = await makeCertificates('DNS:*.redis.test,DNS:localhost,IP:127.0.0.1')
  ofNeighbour = await makeCertificates('DNS:node-0.redis.test')
})
beforeEach(() => {
  const { lookup } = dns
  const found = (name: string, options: LookupOptions, done: () => void): void =>
    lookup(/\.redis\.test\.?$/.test(name) ? '127.0.0.1' : name, options, done)
  vi.spyOn(dns, 'lookup').mockImplementation(found as typeof lookup)
})
afterEach(async () => {
  vi.restoreAllMocks()
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
afterAll(async () => {
  await ofAll.remove()
  await ofNeighbour.remove()
})

const pem = ({ certificateFile, keyFile }: Certificates): SecureContextOptions => ({
  cert: readFileSync(certificateFile),
  key: readFileSync(keyFile),
})

async function openFront(targetPort: number, host: string): Promise<NamedFront> {
  const front = await startNamedFront(targetPort, host, pem(ofAll))
  cleanups.push(() => front.close())
  return front
}

function open(address: RedisAddress): LoggedStore {
  const logged = openStore({ ...address, redisTlsCa: `${ofAll.ca}${ofNeighbour.ca}` })
  cleanups.push(() => logged.store.close())
  return logged
}

/** Every connection was told the one name, and there were some. */
function expectNamed(fronts: readonly NamedFront[], least: number): void {
  for (const { host, told, handshakes } of fronts) {
    expect([...new Set(told)]).toEqual([host])
    expect(told).toHaveLength(handshakes())
    expect(handshakes(), host).toBeGreaterThanOrEqual(least)
  }
}

describe('a server that is reached by its name', () => {
  it('is told it, without a dot at its end, by the commands and the feed, and again whenever they connect anew', async () => {
    const server = await startRedis()
    cleanups.push(() => server.stop())
    const front = await openFront(server.port, 'one.redis.test')
    const logged = open({ redisUrl: `rediss://one.redis.test.:${front.port}` })
    await untilReady(logged, patienceMs)
    expectNamed([front], 2)
    front.cut()
    await eventually(() => expectNamed([front], 4), patienceMs)
    await untilReady(logged, patienceMs)
  })

  it('by its address is told nothing', async () => {
    const server = await startRedis()
    cleanups.push(() => server.stop())
    const front = await openFront(server.port, '127.0.0.1')
    await untilReady(open({ redisUrl: `rediss://127.0.0.1:${front.port}` }), patienceMs)
    expect(front.told).toEqual([])
    expect(front.handshakes()).toBeGreaterThanOrEqual(2)
  })
})

describe('the nodes of a Cluster that announces names', () => {
  const fronts: NamedFront[] = []
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startCluster({
      async openFront(targetPort) {
        const front = await startNamedFront(targetPort, `node-${fronts.length}.redis.test`, pem(ofAll))
        fronts.push(front)
        return front
      },
    })
  }, longestMs)
  afterAll(async () => {
    for (const front of fronts) await front.close()
    await cluster?.stop()
  })
  const openOnCluster = (): LoggedStore => open({ redisClusterNodes: fronts.slice(0, 1), redisTls: true })

  it('show certificates of their own: that of a neighbour is refused', async () => {
    const [neighbour, other] = fronts
    if (neighbour === undefined || other === undefined) throw new Error('there are more')
    neighbour.show(pem(ofNeighbour))
    const logged = openOnCluster()
    await untilReady(logged, patienceMs)
    other.show(pem(ofNeighbour))
    other.cut()
    const writes = async (): Promise<unknown> =>
      Promise.all(Array.from({ length: 20 }, () => logged.store.create(newHash(), newRow(), 5_000)))
    await expect(writes()).rejects.toMatchObject({ code: 'session_store_unavailable' })
    expect(logged.store.changes.isLive()).toBe(false)
    other.show(pem(ofAll))
    await eventually(writes, patienceMs)
    await untilReady(logged, patienceMs)
  }, 120_000)

  it('are told their own: by commands, feeds and questions after the slots, anew, and after a failover', async () => {
    const masters = fronts.slice(0, 3)
    const logged = openOnCluster()
    await untilReady(logged, patienceMs)
    expectNamed(masters, 2)
    const hashes = Array.from({ length: 20 }, newHash)
    for (const h of hashes) await logged.store.create(h, newRow(), 600_000)

    const before = masters.map(({ handshakes }) => handshakes())
    for (const front of fronts) front.cut()
    await eventually(() => {
      for (const [at, front] of masters.entries()) expectNamed([front], (before[at] ?? 0) + 2)
    }, patienceMs)
    await untilReady(logged, patienceMs)

    const [first] = cluster.masters
    await first?.client().wait(1, 5_000)
    await first?.kill()
    await eventually(() => Promise.all(hashes.map((h) => logged.store.touch(h, 1, 600_000))), longestMs)
    await untilReady(logged, patienceMs)
    expectNamed(fronts, 2)
  }, 120_000)
})

describe('Sentinels and the master that they call by its name', () => {
  it('are told their own, but for those with an address, anew, and after a failover', async () => {
    const members: NamedFront[] = []
    const group = await startSentinelGroup({
      async openFront(targetPort) {
        const front = await openFront(targetPort, 'localhost')
        members.push(front)
        return front
      },
    })
    cleanups.push(() => group.stop())
    const hosts = ['sentinel-0.redis.test', '127.0.0.1', 'sentinel-2.redis.test']
    const sentinels = await Promise.all(
      group.sentinels.map(({ port }, at) => openFront(port, hosts[at] ?? '')),
    )
    const [named, nameless, alsoNamed] = sentinels
    if (named === undefined || nameless === undefined || alsoNamed === undefined)
      throw new Error('there are three')
    const [master, replica] = members
    if (master === undefined || replica === undefined) throw new Error('there are two')
    const logged = open({ redisSentinels: sentinels, redisTls: true })
    await untilReady(logged, patienceMs)
    expectNamed([master], 2)
    const h = newHash()
    await logged.store.create(h, newRow(), 600_000)

    // Each connection asks the next Sentinel.
    await eventually(async () => {
      master.cut()
      await untilReady(logged, patienceMs)
      expectNamed([named, alsoNamed], 2)
      expect(nameless.handshakes()).toBeGreaterThanOrEqual(2)
    }, longestMs)
    expect(nameless.told).toEqual([])

    await group.master.client().wait(1, 5_000)
    await group.master.kill()
    await eventually(() => logged.store.touch(h, 1, 600_000), longestMs)
    await untilReady(logged, patienceMs)
    expectNamed([master, replica, named, alsoNamed], 2)
    expect(nameless.told).toEqual([])
  }, 120_000)
})
