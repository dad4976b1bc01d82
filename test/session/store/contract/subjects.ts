import { createMemoryStore } from '../../../../src/session/store/memory/store.ts'
import type { RedisAddress } from '../../../../src/session/store/redis/connection/connection.ts'
import { eventually } from '../../../support/eventually.ts'
import { freePort } from '../../../support/ports.ts'
import { type RedisServer, startRedis } from '../../../support/redis/redis.ts'
import { type RedisGate, startRedisGate } from '../../../support/redis/redis-gate.ts'
import { startCluster, startSentinelGroup } from '../../../support/redis/redis-groups.ts'
import { type LoggedStore, openStore, sessionMaxLifetime } from '../../../support/redis/redis-stores.ts'

/** What can go wrong with a store. */
export const faults = [
  'lost answers',
  'late answers',
  'half of the shards gone',
  'rights withdrawn',
  'restored snapshots',
  'a freeze',
  'a crash',
  'a failover',
] as const

/** One of {@link faults}. */
export type Fault = (typeof faults)[number]

/** What a test can do to the servers of a store. */
export interface Levers {
  /** Those that hold data, the masters first. */
  readonly servers: readonly RedisServer[]
  readonly masters: readonly RedisServer[]
  /** In front of each of the servers. */
  readonly gates: readonly RedisGate[]
  /** From now on a dead master is waited for. Must be said again after a restart. */
  readonly wait: () => Promise<unknown>
  /** From now on a dead master is replaced; there is nobody who could where it is missing. */
  readonly replaceDead?: () => Promise<unknown>
}

/** A store under test. */
export interface Running {
  /** Opens one more store on the same servers. */
  readonly open: () => LoggedStore
  /** Missing where there is no server. */
  readonly levers?: Levers
  readonly stop: () => Promise<unknown>
}

/** A kind of store, and why some faults cannot happen to it. */
export interface Subject {
  readonly name: string
  readonly start: () => Promise<Running>
  readonly lacks: Readonly<Partial<Record<Fault, string>>>
}

const withoutServer = 'a call within the process'
const withoutParts = 'there is one server with all sessions'
const withoutReplica = 'there is no replica'

/** All kinds of stores. */
export const subjects: readonly Subject[] = [
  {
    name: 'memory',
    start: async () => {
      const store = createMemoryStore({ sessionMaxLifetime }, { now: Date.now })
      return { open: () => ({ store, messages: [], text: () => '' }), stop: async () => undefined }
    },
    lacks: {
      'lost answers': withoutServer,
      'late answers': withoutServer,
      'half of the shards gone': withoutServer,
      'rights withdrawn': withoutServer,
      'restored snapshots': 'nothing outlives the process',
      'a freeze': 'it freezes with the process',
      'a crash': 'it crashes with the process',
      'a failover': withoutReplica,
    },
  },
  {
    name: 'Redis',
    start: () => startSingle({}),
    lacks: { 'half of the shards gone': withoutParts, 'a failover': withoutReplica },
  },
  {
    name: 'Redis that keeps slots apart behind one address',
    start: startSlotted,
    lacks: { 'half of the shards gone': withoutParts, 'a failover': withoutReplica },
  },
  {
    name: 'Redis behind Sentinels',
    start: startBehindSentinels,
    lacks: { 'half of the shards gone': withoutParts },
  },
  { name: 'Redis Cluster', start: startOnCluster, lacks: {} },
]

/** The faults that can be brought about: what the table says must be what is. */
export function possibleFaults(levers: Levers | undefined): readonly Fault[] {
  if (levers === undefined) return []
  return faults.filter((fault) => {
    if (fault === 'half of the shards gone') return levers.masters.length > 1
    return fault !== 'a failover' || levers.replaceDead !== undefined
  })
}

async function startSingle(
  conf: Readonly<Record<string, string>>,
): Promise<Running & { readonly levers: Levers }> {
  const server = await startRedis({ conf })
  const gate = await startRedisGate(server.port)
  const levers = { servers: [server], masters: [server], gates: [gate], wait: async () => undefined }
  return {
    open: () => openStore({ redisUrl: gate.url }),
    levers,
    async stop() {
      await gate.close()
      await server.stop()
    },
  }
}

async function startSlotted(): Promise<Running> {
  const running = await startSingle({ 'cluster-enabled': 'yes', 'cluster-port': `${await freePort()}` })
  const { masters, ...levers } = running.levers
  const client = masters[0]?.client()
  await client?.cluster('ADDSLOTS', ...Array.from({ length: 16_384 }, (_one, slot) => slot))
  // For two seconds after each start it serves no slot.
  const wait = (): Promise<void> =>
    eventually(async () => {
      if (!String(await client?.cluster('INFO')).includes('cluster_state:ok')) throw new Error('not yet')
    }, 20_000)
  await wait()
  return { ...running, levers: { masters, ...levers, wait } }
}

async function startBehindSentinels(): Promise<Running> {
  const { master, replica, sentinels, gates, stop } = await startSentinelGroup({ isGated: true })
  const patience = (ms: number): Promise<unknown> =>
    Promise.all(
      sentinels.map((one) => one.client().call('SENTINEL', 'SET', 'mymaster', 'down-after-milliseconds', ms)),
    )
  const address: RedisAddress = { redisSentinels: sentinels.map(addressOf), redisSentinelMaster: 'mymaster' }
  const levers = {
    servers: [master, replica],
    masters: [master],
    gates,
    wait: () => patience(600_000),
    replaceDead: () => patience(500),
  }
  return { open: () => openStore(address), levers, stop }
}

async function startOnCluster(): Promise<Running> {
  const { masters, replica, gates, stop } = await startCluster({ isGated: true })
  const servers = [...masters, replica]
  const patience = (ms: number): Promise<unknown> =>
    Promise.all(servers.map((one) => one.client().config('SET', 'cluster-node-timeout', ms)))
  const redisClusterNodes = gates.slice(0, masters.length).map(addressOf)
  const levers = {
    servers,
    masters,
    gates,
    wait: () => patience(600_000),
    replaceDead: () => patience(1_000),
  }
  return { open: () => openStore({ redisClusterNodes }), levers, stop }
}

const addressOf = ({ port }: { readonly port: number }) => ({ host: '127.0.0.1', port })
