import { isIP } from 'node:net'
import type { Redis } from 'ioredis'
import { eventually } from '../eventually.ts'
import { freePort } from '../ports.ts'
import { type RedisConf, type RedisServer, type RedisServerOptions, startRedis } from './redis.ts'
import { type RedisGate, startRedisGate } from './redis-gate.ts'

/** A busy machine forms a group slowly. */
const formedWithinMs = 15_000

/** Several servers that belong together. */
export interface RedisGroup {
  readonly servers: readonly RedisServer[]
  /** In front of the servers that hold data, in their order, where the group was started with gates. */
  readonly gates: readonly RedisGate[]
  stop(): Promise<void>
}

/** What stands in front of a server, by whose address everybody knows that server. */
export interface Front {
  /** `127.0.0.1` unless it says otherwise. */
  readonly host?: string
  readonly port: number
}

/** How a group is started. */
export interface RedisGroupOptions {
  /** Servers that hold data are known to everybody, to each other too, by the address of a gate in front of each. */
  readonly isGated?: boolean
  /** The same with a front of the caller's, who also closes it. */
  readonly openFront?: (targetPort: number) => Promise<Front>
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
type OpenGate = (targetPort: number) => Promise<RedisGate>
type OpenFront = RedisGroupOptions['openFront']

/** Builds a group. When that fails half-way, nothing of it is left running, not even what is still starting. */
export async function startGroup<Parts extends object>(
  build: (start: Start, openGate: OpenGate) => Promise<Parts>,
): Promise<Parts & RedisGroup> {
  const starts: Promise<RedisServer>[] = []
  const gates: RedisGate[] = []
  const started = async (): Promise<readonly RedisServer[]> => {
    const results = await Promise.allSettled(starts)
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  }
  const stop = async (): Promise<void> => {
    await Promise.all(gates.map((gate) => gate.close()))
    await Promise.all((await started()).map((server) => server.stop()))
  }
  const start: Start = (options) => {
    const server = startRedis(options)
    starts.push(server)
    return server
  }
  const openGate: OpenGate = async (targetPort) => {
    const gate = await startRedisGate(targetPort)
    gates.push(gate)
    return gate
  }
  try {
    const parts = await build(start, openGate)
    return { ...parts, servers: await started(), gates, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** A server, and where it is known to be. */
interface Known extends Front {
  readonly server: RedisServer
}

/** @param announce the directives that make a server known by another address */
async function startKnown(
  start: Start,
  openFront: OpenFront,
  conf: RedisConf,
  announce: (front: Front) => RedisConf,
): Promise<Known> {
  const port = await freePort()
  if (openFront === undefined) return { server: await start({ port, conf }), port }
  const front = await openFront(port)
  return { ...front, server: await start({ port, conf: { ...conf, ...announce(front) } }) }
}

/** Starts a group that notices a dead master after half a second. */
export function startSentinelGroup({
  isGated = false,
  openFront,
  sentinelConf = {},
}: RedisGroupOptions & {
  /** Further directives of the Sentinels, such as their users. */
  readonly sentinelConf?: RedisConf
} = {}): Promise<SentinelGroup> {
  return startGroup(async (start, openGate) => {
    const quick = { 'repl-diskless-sync-delay': '0', 'repl-ping-replica-period': '1' }
    const startMember = (conf: RedisConf): Promise<Known> =>
      startKnown(start, isGated ? openGate : openFront, conf, (front) => ({
        'replica-announce-port': `${front.port}`,
        ...(front.host === undefined ? {} : { 'replica-announce-ip': front.host }),
      }))
    const { server: master, host = '127.0.0.1', port } = await startMember(quick)
    const { server: replica } = await startMember({ ...quick, replicaof: `${host} ${port}` })
    const sentinel = [
      ...(isIP(host) === 0 ? ['resolve-hostnames yes', 'announce-hostnames yes'] : []),
      `monitor mymaster ${host} ${port} 2`,
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
export function startCluster({ isGated = false, openFront }: RedisGroupOptions = {}): Promise<RedisCluster> {
  return startGroup(async (start, openGate) => {
    const nodes: ClusterNode[] = []
    // One after the other: their gates are to be in their order.
    for (let at = 0; at < 4; at += 1) nodes.push(await startNode(start, isGated ? openGate : openFront))
    const servers = nodes.map(({ server }) => server)
    const masters = servers.slice(0, 3)
    const [first, , , replica] = servers
    if (first === undefined || replica === undefined) throw new Error('a Cluster has nodes')
    await assignSlots(masters)
    for (const { port, busPort } of nodes.slice(1)) {
      await first.client().call('CLUSTER', 'MEET', '127.0.0.1', port, busPort)
    }
    await allHaveState(servers, 'known_nodes:4')
    await replica.client().cluster('REPLICATE', String(await first.client().cluster('MYID')))
    await allHaveState(servers, 'state:ok')
    await eventually(() => hasReplica(first), formedWithinMs)
    return { masters, replica }
  })
}

interface ClusterNode extends Known {
  readonly busPort: number
}

async function startNode(start: Start, openFront: OpenFront): Promise<ClusterNode> {
  const busPort = await freePort()
  const conf = {
    'cluster-enabled': 'yes',
    'cluster-config-file': 'nodes.conf',
    'cluster-node-timeout': '1000',
    // The bus listens 10,000 ports higher unless told otherwise, where there may be no port any more.
    'cluster-port': `${busPort}`,
    'repl-diskless-sync-delay': '0',
  }
  const announce = ({ host, port }: Front): RedisConf => ({
    'cluster-announce-ip': '127.0.0.1',
    'cluster-announce-port': `${port}`,
    'cluster-announce-bus-port': `${busPort}`,
    ...(host === undefined
      ? {}
      : { 'cluster-announce-hostname': host, 'cluster-preferred-endpoint-type': 'hostname' }),
  })
  return { ...(await startKnown(start, openFront, conf, announce)), busPort }
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
