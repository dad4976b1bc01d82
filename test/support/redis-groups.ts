import type { Redis } from 'ioredis'
import { eventually } from './eventually.ts'
import { freePort } from './ports.ts'
import { type RedisServer, startRedis } from './redis.ts'

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

function stopAll(servers: readonly RedisServer[]): () => Promise<void> {
  return async () => {
    await Promise.all(servers.map((server) => server.stop()))
  }
}

/** Starts a group that notices a dead master after half a second. */
export async function startSentinelGroup(): Promise<SentinelGroup> {
  const quick = { 'repl-diskless-sync-delay': '0', 'repl-ping-replica-period': '1' }
  const master = await startRedis({ conf: quick })
  const replica = await startRedis({ conf: { ...quick, replicaof: `127.0.0.1 ${master.port}` } })
  const sentinel = [
    `monitor mymaster 127.0.0.1 ${master.port} 2`,
    'down-after-milliseconds mymaster 500',
    'failover-timeout mymaster 3000',
  ]
  const start = (): Promise<RedisServer> => startRedis({ sentinel: true, conf: { sentinel } })
  const sentinels = await Promise.all([start(), start(), start()])
  const servers = [master, replica, ...sentinels]
  await Promise.all(sentinels.map((one) => eventually(() => knowsEverybody(one.client()), 15_000)))
  return { master, replica, sentinels, servers, stop: stopAll(servers) }
}

/** Without each other and the replica, Sentinels can carry out no failover. */
async function knowsEverybody(sentinel: Redis): Promise<void> {
  const text = String(await sentinel.info('sentinel'))
  sentinel.disconnect()
  if (!text.includes('slaves=1,sentinels=3')) throw new Error('the Sentinels do not know each other yet')
}

/** Starts a Cluster that notices a dead master after a second. */
export async function startCluster(): Promise<RedisCluster> {
  const nodes = await Promise.all([startNode(), startNode(), startNode(), startNode()])
  const servers = nodes.map(({ server }) => server)
  const masters = servers.slice(0, 3)
  const [first, , , replica] = servers
  if (first === undefined || replica === undefined) throw new Error('a Cluster has nodes')
  await assignSlots(masters)
  for (const { server, busPort } of nodes.slice(1)) {
    await first.client().call('CLUSTER', 'MEET', '127.0.0.1', server.port, busPort)
  }
  await Promise.all(servers.map((server) => eventually(() => hasState(server, 'known_nodes:4'), 15_000)))
  await replica.client().cluster('REPLICATE', String(await first.client().cluster('MYID')))
  await Promise.all(servers.map((server) => eventually(() => hasState(server, 'state:ok'), 15_000)))
  await eventually(async () => {
    if (!(await first.client().info('replication')).includes('state=online'))
      throw new Error('no replica yet')
  }, 15_000)
  return { masters, replica, servers, stop: stopAll(servers) }
}

async function startNode(): Promise<{ readonly server: RedisServer; readonly busPort: number }> {
  const busPort = await freePort()
  const conf = {
    'cluster-enabled': 'yes',
    'cluster-config-file': 'nodes.conf',
    'cluster-node-timeout': '1000',
    // The bus listens 10,000 ports higher unless told otherwise, where there may be no port any more.
    'cluster-port': `${busPort}`,
    'repl-diskless-sync-delay': '0',
  }
  return { server: await startRedis({ conf }), busPort }
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

async function hasState(server: RedisServer, state: string): Promise<void> {
  const client = server.client()
  const text = String(await client.cluster('INFO'))
  client.disconnect()
  if (!text.includes(`cluster_${state}`)) throw new Error(`the node is not in the state ${state} yet`)
}
