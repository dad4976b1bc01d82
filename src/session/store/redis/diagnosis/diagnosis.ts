import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { HostAndPort } from '../../../../config/settings/kinds/address.ts'
import { connectSingle, type RedisAddress } from '../connection/connection.ts'
import { mastersOf } from '../connection/topology.ts'
import { type RedisFault, toRedisFault } from '../health/fault.ts'
import { askFacts, type RedisServerFacts } from './facts.ts'

/** What `coatcheck doctor` finds out about Redis. */
export interface RedisDiagnosis {
  /** Each master of a Cluster, or the one server there is. */
  readonly servers: readonly RedisServerFacts[]
}

/** Why there is no diagnosis. */
export interface RedisFailure {
  readonly fault: RedisFault
  /** Which node of a Cluster has it. */
  readonly place: HostAndPort | undefined
}

/** A connection that is not there by then is not coming, milliseconds. */
const patienceMs = 2_500

/**
 * Asks a Redis how it is; a Cluster answers only when each of its masters does. Writes only under random keys of its own, which it removes
 * again.
 *
 * @param now the clock, epoch milliseconds
 */
export async function diagnoseRedis(
  address: RedisAddress,
  now: () => number,
): Promise<RedisDiagnosis | RedisFailure> {
  const masters = await findMasters(address)
  if (isFailure(masters)) return masters
  const isCluster = address.redisClusterNodes !== undefined
  const found = await Promise.all(
    masters.map((place) => askOne(address, place, (server) => askFacts(server, isCluster, now))),
  )
  const servers = found.filter((one): one is RedisServerFacts => !isFailure(one))
  return worstOf(found.filter(isFailure)) ?? { servers }
}

/** Where the masters of a Cluster are; without one, the settings alone say where to connect. */
async function findMasters(
  address: RedisAddress,
): Promise<readonly (HostAndPort | undefined)[] | RedisFailure> {
  if (address.redisClusterNodes === undefined) return [undefined]
  const answers = await Promise.all(
    address.redisClusterNodes.map((node) => askOne(address, node, askMasters)),
  )
  // One node that knows the others is enough, for the gateway too.
  return answers.find((answer) => !isFailure(answer)) ?? worstOf(answers.filter(isFailure)) ?? []
}

async function askMasters(node: Redis): Promise<readonly HostAndPort[]> {
  const masters = mastersOf(await node.cluster('SLOTS'))
  // The error word with which a node answers for a slot that nobody has.
  if (masters === undefined) throw new Error('CLUSTERDOWN')
  return masters
}

function isFailure(found: object): found is RedisFailure {
  return 'fault' in found
}

/** A server that is down makes the others speak of a part that is down, which tells less. */
function worstOf(failures: readonly RedisFailure[]): RedisFailure | undefined {
  return failures.find(({ fault }) => !fault.isPartial) ?? failures[0]
}

/** Asks one server, over a connection of its own. */
async function askOne<Answer extends object>(
  address: RedisAddress,
  place: HostAndPort | undefined,
  ask: (server: Redis) => Promise<Answer>,
): Promise<Answer | RedisFailure> {
  const server = connectSingle(address, place)
  try {
    await whenReady(server)
    return await ask(server)
  } catch (error) {
    return { fault: toRedisFault(error), place }
  } finally {
    server.disconnect()
  }
}

/** Resolves once commands are carried out; rejects with the last thing that went wrong. */
async function whenReady(server: Redis): Promise<void> {
  let last: unknown
  const ready = new Promise<'ready'>((resolve) => server.once('ready', () => resolve('ready')))
  const failed = new Promise<'failed'>((resolve) => {
    const note = (error: unknown): void => {
      last = error
      // Sentinels are tried in turn, so that only a server's own word is final.
      if (!isBehindSentinels(server)) resolve('failed')
    }
    server.on('error', note)
    server.on('close', () => note(last ?? new Error('closed')))
  })
  const outcome = await Promise.race([ready, failed, sleep(patienceMs, 'late' as const, { ref: false })])
  if (outcome !== 'ready') throw last ?? new Error('timeout')
}

function isBehindSentinels(server: Redis): boolean {
  return (server.options.sentinels ?? []).length > 0
}
