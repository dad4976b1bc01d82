import { afterEach, describe, expect, it } from 'vitest'
import { main } from '../../src/commands/main.ts'
import { createRedisStore, type RedisStoreOptions } from '../../src/session/store/redis/store.ts'
import { silentLogger } from '../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../src/telemetry/measures/metrics.ts'
import { minimalEnv } from '../config/fixtures.ts'
import {
  createNode,
  createScriptedRefreshes,
  issuer,
  secret,
  signIn,
} from '../session/support/sessions-world.ts'
import { eventually } from '../support/eventually.ts'
import { startCluster, startSentinelGroup } from '../support/redis/redis-groups.ts'

const setupMs = 60_000
let stops: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const stop of stops.toReversed()) await stop()
  stops = []
})

/** Signs in some users at a node on this Redis, and returns how many of their sessions are there. */
async function fill(place: Omit<RedisStoreOptions, 'sessionMaxLifetime'>): Promise<() => Promise<number>> {
  const telemetry = { log: silentLogger(), metrics: noMetrics }
  const store = createRedisStore({ ...place, sessionMaxLifetime: 36_000 }, { telemetry })
  stops.push(() => store.close())
  await eventually(() => expect(store.status().ready).toBe(true), setupMs)
  const { provider } = createScriptedRefreshes(Date.now)
  const node = createNode({ store, provider, now: Date.now })
  const subjects = Array.from({ length: 12 }, (_item, at) => (at % 2 === 0 ? 'ada' : `user-${at}`))
  const hs: string[] = []
  for (const [at, subject] of subjects.entries()) {
    const { view } = await signIn(node, Date.now, { subject, providerSessionId: `sid-${at}` })
    hs.push(view.h)
  }
  return async () => (await store.exist(hs)).filter(Boolean).length
}

async function sessions(line: string, place: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const printed: string[] = []
  const complained: string[] = []
  const code = await main({
    arguments: ['sessions', ...line.split(' '), '--json'],
    readEnv: () => ({
      ...minimalEnv,
      ISSUER_URL: issuer,
      CLIENT_ID: 'client',
      SESSION_SECRET: secret,
      ...place,
    }),
    print: (text) => printed.push(text),
    complain: (text) => complained.push(text),
    isTerminal: false,
  })
  // Nothing but the audit events of what was ended.
  const strange = complained.filter((text) => !text.includes('"audit":"session.ended"'))
  expect({ code, strange }).toEqual({ code: 0, strange: [] })
  return printed
}

describe('coatcheck sessions', () => {
  it(
    'reaches every master of a Cluster',
    async () => {
      const cluster = await startCluster()
      stops.push(cluster.stop)
      const redisClusterNodes = cluster.masters.map(({ port }) => ({ host: '127.0.0.1', port }))
      const remaining = await fill({ redisClusterNodes })
      const place = { REDIS_CLUSTER_NODES: `127.0.0.1:${cluster.masters[1]?.port}` }
      expect(await sessions('list', place)).toHaveLength(12)
      expect(await sessions('revoke --sub ada', place)).toEqual(['{"ended":6,"foreign":0}'])
      expect(await remaining()).toBe(6)
      expect(await sessions('revoke --all', place)).toEqual(['{"ended":6,"foreign":0}'])
      expect(await remaining()).toBe(0)
    },
    setupMs,
  )

  it(
    'finds the master through its Sentinels',
    async () => {
      const group = await startSentinelGroup()
      stops.push(group.stop)
      const redisSentinels = group.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }))
      const remaining = await fill({ redisSentinels })
      const place = { REDIS_SENTINELS: redisSentinels.map(({ host, port }) => `${host}:${port}`).join(',') }
      expect(await sessions('list --sub ada', place)).toHaveLength(6)
      expect(await sessions('revoke --all', place)).toEqual(['{"ended":12,"foreign":0}'])
      expect(await remaining()).toBe(0)
    },
    setupMs,
  )
})
