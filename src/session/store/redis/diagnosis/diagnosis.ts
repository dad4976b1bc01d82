import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster, type Redis } from 'ioredis'
import { textOf } from '../../../../basics/text.ts'
import { connectRedis, type RedisAddress, type RedisClient, serversOf } from '../connection/connection.ts'
import { asFarAsAnswered } from '../each.ts'
import { type RedisFault, toRedisFault } from '../health/fault.ts'
import { type DeniedCommand, findDeniedCommands } from './rights.ts'

/** What one server says about itself. A part that our user may not ask for is empty or `undefined`. */
export interface RedisServerFacts {
  /** `INFO server`. */
  readonly server: string
  /** `INFO memory`. */
  readonly memory: string
  /** `INFO persistence`. */
  readonly persistence: string
  /** `CONFIG GET save`: when snapshots are written; an empty text for never. */
  readonly savePoints: string | undefined
}

/** What `coatcheck doctor` finds out about Redis. */
export interface RedisDiagnosis {
  /** Each master. */
  readonly servers: readonly RedisServerFacts[]
  /** Median round trip, milliseconds. */
  readonly latencyMs: number
  /** The clock ahead of ours of the server whose is furthest from it, milliseconds; `undefined` when none tells. */
  readonly aheadMs: number | undefined
  /** What our user may not do although the gateway needs it. */
  readonly denied: readonly DeniedCommand[]
}

/** A connection that is not there by then is not coming, milliseconds. */
const patienceMs = 2_500
const pings = 5

/**
 * Asks a Redis how it is. Writes only under a random key of its own, which it removes again.
 *
 * @param now the clock, epoch milliseconds
 */
export async function diagnoseRedis(
  address: RedisAddress,
  now: () => number,
): Promise<RedisDiagnosis | { readonly fault: RedisFault }> {
  const client = connectRedis(address)
  try {
    await whenReady(client)
    const latencyMs = await measureLatency(client)
    const asked = serversOf(client)
    const servers = await Promise.all(asked.map(askServer))
    const clocks = await Promise.all(asked.map((server) => measureClock(server, now)))
    const denied = await asFarAsAnswered(asked.map(findDeniedCommands))
    return {
      servers,
      latencyMs,
      aheadMs: furthestOf(clocks),
      denied: eachRuleOnce(denied.flatMap((commands) => commands ?? [])),
    }
  } catch (error) {
    return { fault: toRedisFault(error) }
  } finally {
    client.disconnect()
  }
}

/** Resolves once commands are carried out; rejects with the last thing that went wrong. */
async function whenReady(client: RedisClient): Promise<void> {
  let last: unknown
  const ready = new Promise<'ready'>((resolve) => client.once('ready', () => resolve('ready')))
  const failed = new Promise<'failed'>((resolve) => {
    client.on('error', (error: unknown) => {
      last = error
      // Sentinels and nodes of a Cluster are tried in turn, so that only a single server's first word is final.
      if (!(client instanceof Cluster) && !isBehindSentinels(client)) resolve('failed')
    })
  })
  const outcome = await Promise.race([ready, failed, sleep(patienceMs, 'late' as const, { ref: false })])
  if (outcome !== 'ready') throw last ?? new Error('timeout')
}

function isBehindSentinels(client: Redis): boolean {
  return (client.options.sentinels ?? []).length > 0
}

async function measureLatency(client: RedisClient): Promise<number> {
  const times: number[] = []
  for (let count = 0; count < pings; count += 1) {
    const startedMs = performance.now()
    await client.ping()
    times.push(performance.now() - startedMs)
  }
  return times.toSorted((left, right) => left - right)[Math.floor(pings / 2)] ?? 0
}

async function askServer(server: Redis): Promise<RedisServerFacts> {
  const info = (section: string): Promise<string> => server.info(section).catch(() => '')
  return {
    server: await info('server'),
    memory: await info('memory'),
    persistence: await info('persistence'),
    savePoints: await askSavePoints(server),
  }
}

/** Managed servers often keep CONFIG to themselves. */
async function askSavePoints(server: Redis): Promise<string | undefined> {
  const reply: unknown = await server.config('GET', 'save').catch(() => undefined)
  const [, value]: readonly unknown[] = Array.isArray(reply) ? reply : []
  return textOf(value)
}

async function measureClock(server: Redis, now: () => number): Promise<number | undefined> {
  const startedMs = now()
  const [seconds, microseconds] = (await server.time().catch(() => undefined)) ?? []
  if (seconds === undefined) return undefined
  const theirsMs = Number(seconds) * 1_000 + Number(microseconds) / 1_000
  return theirsMs - (startedMs + now()) / 2
}

/** What is furthest from zero. */
function furthestOf(clocks: readonly (number | undefined)[]): number | undefined {
  return clocks
    .filter((aheadMs) => aheadMs !== undefined)
    .toSorted((one, other) => Math.abs(other) - Math.abs(one))[0]
}

/** Each server of a Cluster has its own list of users. */
function eachRuleOnce(denied: readonly DeniedCommand[]): readonly DeniedCommand[] {
  return [...new Map(denied.map((command) => [command.rule, command])).values()]
}
