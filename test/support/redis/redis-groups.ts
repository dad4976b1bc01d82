import type { Redis } from 'ioredis'
import { eventually } from '../eventually.ts'
import { freePort } from '../ports.ts'
import { type RedisConf, type RedisServer, type RedisServerOptions, startRedis } from './redis.ts'

/** A busy machine forms a group slowly. */
const formedWithinMs = 15_000

/** Several servers that belong together. */
export interface RedisGroup {
  readonly servers: readonly RedisServer[]
  stop(): Promise<void>
}

/** A master with one replica, watched by three Sentinels. */
export interface SentinelGroup extends RedisGroup {
  readonly master: RedisServer
  readonly replica: RedisServer
  readonly sentinels: readonly RedisServer[]
}

/** Three masters, the first of which has a replica. */
export interface RedisCluster extends RedisGroup {
  readonly masters: readonly RedisServer[]
  readonly replica: RedisServer
}

type Start = (options: RedisServerOptions) => Promise<RedisServer>

/** Builds a group. When that fails half-way, nothing of it is left running, not even what is still starting. */
export async function startGroup<Parts extends object>(
  build: (start: Start) => Promise<Parts>,
): Promise<Parts & RedisGroup> {
  const starts: Promise<RedisServer>[] = []
  const started = async (): Promise<readonly RedisServer[]> => {
    const results = await Promise.allSettled(starts)
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  }
  const stop = async (): Promise<void> => {
    await Promise.all((await started()).map((server) => server.stop()))
  }
  const start: Start = (options) => {
    const server = startRedis(options)
    starts.push(server)
    return server
  }
  try {
    const parts = await build(start)
    return { ...parts, servers: await started(), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/**
 * Starts a group that notices a dead master after half a second.
 *
 * @param sentinelConf further directives of the Sentinels, such as their users
 */
export function startSentinelGroup(sentinelConf: RedisConf = {}): Promise<SentinelGroup> {
  return startGroup(async (start) => {
    const quick = { 'repl-diskless-sync-delay': '0', 'repl-ping-replica-period': '1' }
    const master = await start({ conf: quick })
    const replica = await start({ conf: { ...quick, replicaof: `127.0.0.1 ${master.port}` } })
    const sentinel = [
      `monitor mymaster 127.0.0.1 ${master.port} 2`,
      'down-after-milliseconds mymaster 500',
      'failover-timeout mymaster 3000',
    ]
    const startSentinel = (): Promise<RedisServer> =>
      start({ sentinel: true, conf: { sentinel, ...sentinelConf } })
    const sentinels = await Promise.all([startSentinel(), startSentinel(), startSentinel()])
    await Promise.all(sentinels.map((one) => eventually(() => knowsEverybody(one), formedWithinMs)))
    return { master, replica, sentinels }
  })
}

/** Without each other and the replica, Sentinels can carry out no failover. */
async function knowsEverybody(sentinel: RedisServer): Promise<void> {
  const text = await ask(sentinel, (client) => client.info('sentinel'))
  if (!text.includes('slaves=1,sentinels=3')) throw new Error('the Sentinels do not know each other yet')
}

/** Starts a Cluster that notices a dead master after a second. */
export function startCluster(): Promise<RedisCluster> {
  return startGroup(async (start) => {
    const nodes = await Promise.all(Array.from({ length: 4 }, () => startNode(start)))
    const servers = nodes.map(({ server }) => server)
    const masters = servers.slice(0, 3)
    const [first, , , replica] = servers
    if (first === undefined || replica === undefined) throw new Error('a Cluster has nodes')
    await assignSlots(masters)
    for (const { server, busPort } of nodes.slice(1)) {
      await first.client().call('CLUSTER', 'MEET', '127.0.0.1', server.port, busPort)
    }
    await allHaveState(servers, 'known_nodes:4')
    await replica.client().cluster('REPLICATE', String(await first.client().cluster('MYID')))
    await allHaveState(servers, 'state:ok')
    await eventually(() => hasReplica(first), formedWithinMs)
    return { masters, replica }
  })
}

async function startNode(start: Start): Promise<{ readonly server: RedisServer; readonly busPort: number }> {
  const busPort = await freePort()
  const conf = {
    'cluster-enabled': 'yes',
    'cluster-config-file': 'nodes.conf',
    'cluster-node-timeout': '1000',
    // The bus listens 10,000 ports higher unless told otherwise, where there may be no port any more.
    'cluster-port': `${busPort}`,
    'repl-diskless-sync-delay': '0',
  }
  return { server: await start({ conf }), busPort }
}

async function assignSlots(masters: readonly RedisServer[]): Promise<void> {
  const ranges = [
    [0, 5_460],
    [5_461, 10_922],
    [10_923, 16_383],
  ]
  const assigned = masters.map((master, index) =>
    master.client().call('CLUSTER', 'ADDSLOTSRANGE', ...(ranges[index] ?? []).map(String)),
  )
  await Promise.all(assigned)
}

function allHaveState(servers: readonly RedisServer[], state: string): Promise<unknown> {
  return Promise.all(servers.map((server) => eventually(() => hasState(server, state), formedWithinMs)))
}

async function hasState(server: RedisServer, state: string): Promise<void> {
  const text = await ask(server, (client) => client.cluster('INFO'))
  if (!text.includes(`cluster_${state}`)) throw new Error(`the node is not in the state ${state} yet`)
}

async function hasReplica(master: RedisServer): Promise<void> {
  const text = await ask(master, (client) => client.info('replication'))
  if (!text.includes('state=online')) throw new Error('no replica yet')
}

/** Asks over a connection of its own, which is gone afterwards whatever comes. */
async function ask(server: RedisServer, question: (client: Redis) => Promise<unknown>): Promise<string> {
  const client = server.client()
  try {
    return String(await question(client))
  } finally {
    client.disconnect()
  }
}
