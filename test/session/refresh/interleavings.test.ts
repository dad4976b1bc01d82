import { afterAll, describe, expect, inject, it } from 'vitest'
import type { SessionStore } from '../../../src/session/store/contract.ts'
import { createMemoryStore } from '../../../src/session/store/memory/store.ts'
import { createRedisStore } from '../../../src/session/store/redis/store.ts'
import { silentLogger } from '../../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../../src/telemetry/measures/metrics.ts'
import { eventually } from '../../support/eventually.ts'
import { checkSchedules } from '../support/interleavings.ts'

const telemetry = { log: silentLogger(), metrics: noMetrics }
const openRedis = (): SessionStore =>
  createRedisStore({ redisUrl: inject('redisUrl'), sessionMaxLifetime: 36_000 }, { telemetry })
const memory = createMemoryStore({ sessionMaxLifetime: 36_000 }, { now: Date.now })
const redis = [openRedis(), openRedis()] as const

afterAll(() => Promise.all([memory, ...redis].map((store) => store.close())))

describe.each([
  ['memory', [memory, memory] as const, 25],
  ['Redis', redis, 300],
])('whatever happens at once to the sessions of a user, in %s', (_name, stores, runs) => {
  it('no ended session exists afterwards, none is lost, and no refresh token is presented twice', async () => {
    await eventually(() => Promise.all(stores.map((store) => store.ping())))
    await expect(checkSchedules(stores, runs, inject('seed'))).resolves.toBeUndefined()
  }, 120_000)
})
