import { setTimeout as sleep } from 'node:timers/promises'
import { createSealer } from '../../src/sealing/sealer.ts'
import { createSessionRecords, type SessionRecords } from '../../src/session/record/records.ts'
import { createRedisStore } from '../../src/session/store/redis/store.ts'
import { silentLogger } from '../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../src/telemetry/measures/metrics.ts'

/** The deployment that all sessions of the scale runs belong to. */
export const deployment = {
  issuer: 'https://issuer.example/',
  clientId: 'bench',
  audience: 'https://bench.example',
  secret: 'a-session-secret-of-the-benchmarks-long-enough',
} as const

const telemetry = { log: silentLogger(), metrics: noMetrics }

/** Opens the session records of one process, and waits until they are connected. A cache size of 0 is no cache. */
export async function openRecords(
  redisUrl: string,
  cacheSize: number,
): Promise<{ readonly records: SessionRecords; readonly close: () => Promise<void> }> {
  const store = createRedisStore({ redisUrl, sessionMaxLifetime: 36_000 }, { telemetry })
  while (!store.status().ready || !store.changes.isLive()) await sleep(20)
  const options = {
    issuerUrl: deployment.issuer,
    clientId: deployment.clientId,
    sessionIdleTimeout: 36_000,
    sessionMaxLifetime: 36_000,
    sessionCache: cacheSize > 0,
    sessionCacheSize: Math.max(1, cacheSize),
  }
  const sealer = createSealer([deployment.secret])
  const records = createSessionRecords(options, { store, sealer, telemetry, now: Date.now })
  return { records, close: () => store.close() }
}
