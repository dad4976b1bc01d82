import type { Telemetry } from '../../../telemetry/telemetry.ts'
import type { FrontendStoreOptions, SessionStore } from '../contract.ts'
import { createStoreKeys, type StoreKeys } from '../keys.ts'
import { createBatch } from './batch.ts'
import { watchClock } from './clock.ts'
import { createRunner } from './commands.ts'
import {
  commandTimeoutMs,
  connectRedis,
  ownDeadlines,
  type RedisAddress,
  type RedisClient,
} from './connection/connection.ts'
import { createRedisChanges } from './connection/invalidation.ts'
import { createDeadlines, unlimited } from './deadlines.ts'
import { redisDevices } from './devices.ts'
import { checkEviction, evictionNote } from './diagnosis/eviction.ts'
import { askVersion, unfitVersion } from './diagnosis/version.ts'
import { createAskEach } from './each.ts'
import type { ForeignValue } from './foreign.ts'
import { type RedisHealth, watchRedis } from './health/health.ts'
import { type TriedStore, tryOperation } from './health/trials.ts'
import { redisIndexes } from './indexes.ts'
import { redisLeases, redisMarks } from './marks.ts'
import { defineScripts } from './scripts.ts'
import { redisReads, redisWrites } from './sessions.ts'
import { createAskTogether } from './slots.ts'

/** Settings of the Redis store; the configuration fits as it is. */
export interface RedisStoreOptions extends RedisAddress, FrontendStoreOptions {}

/** What the Redis store is handed. */
export interface RedisStoreDependencies {
  readonly telemetry: Pick<Telemetry, 'log' | 'metrics'>
  /** The clock of this process, epoch milliseconds; the system's unless told otherwise. */
  readonly now?: () => number
}

/**
 * Keeps sessions in Redis. Returns at once and connects, waits and reconnects by itself; until then everything rejects with
 * `session_store_unavailable`.
 */
export function createRedisStore(
  options: RedisStoreOptions,
  { telemetry: { log, metrics }, now = Date.now }: RedisStoreDependencies,
): SessionStore {
  const client = defineScripts(connectRedis(options, ownDeadlines))
  const deadlines = createDeadlines(commandTimeoutMs)
  const health = watchRedis(client, log, deadlines, (operation, key) =>
    tryOperation(operationsOf, operation, key),
  )
  const clock = watchClock(client, { deadlines, log, now })
  const changes = createRedisChanges(options, client, log)
  const batch = createBatch(client)
  const run = createRunner(metrics, health, deadlines, batch)
  const runUnlimited = createRunner(metrics, health, unlimited, batch)
  const foreign: ForeignValue = (kind) =>
    log.warn({ kind }, 'a value in Redis under a key of ours was none of ours and was replaced')
  const askEach = createAskEach(runUnlimited, deadlines)
  const askTogether = createAskTogether(client, runUnlimited, deadlines)
  const operationsOf = (keys: StoreKeys, maxLifetimeSeconds = options.sessionMaxLifetime): TriedStore => {
    const reads = redisReads(client, run, keys, askEach)
    return {
      ...reads,
      ...redisWrites(client, run, keys, askTogether),
      ...redisLeases(client, run, keys),
      ...redisDevices(client, run, keys, askEach),
      ...redisIndexes(client, run, maxLifetimeSeconds, { exist: reads.exist, askTogether, foreign }),
      ...redisMarks(client, run, keys, foreign),
      ping: () => run('ping', undefined, async () => void (await client.ping())),
    }
  }
  let evicts = false
  client.on('ready', () => {
    askVersion(client).then(
      (version) => health.judged(version === undefined ? undefined : unfitVersion(version)),
      () => undefined,
    )
  })
  client.once('ready', () => {
    checkEviction(client, log).then(
      (found) => {
        evicts = found
      },
      () => undefined,
    )
  })
  const open = (frontend: string | undefined, { sessionMaxLifetime }: FrontendStoreOptions): SessionStore => {
    const keys = createStoreKeys(frontend)
    const changesHere = changes.open(frontend)
    return {
      kind: 'redis',
      keys,
      forFrontend: open,
      ...operationsOf(keys, sessionMaxLifetime),
      status: () => statusOf(health, evicts),
      aheadMs: clock.aheadMs,
      changes: changesHere,
      close: async () => changesHere.close(),
    }
  }
  return { ...open(undefined, options), close: () => close(client, [changes, health, clock]) }
}

function statusOf(health: RedisHealth, evicts: boolean): ReturnType<SessionStore['status']> {
  const reason = health.reason()
  return {
    ready: reason === undefined,
    reason: reason === undefined ? undefined : `Redis ${reason}.`,
    note: evicts ? evictionNote : undefined,
  }
}

/** QUIT is answered after everything that was sent before it; a Redis that does not answer is left at once. */
async function close(client: RedisClient, watches: readonly { stop(): void }[]): Promise<void> {
  for (const watch of watches) watch.stop()
  if (client.status === 'ready') await client.quit().catch(() => undefined)
  client.disconnect()
}
