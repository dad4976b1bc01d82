import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { redisRightsCheck } from '../../src/doctor/checks/store/redis-rights.ts'
import { sessionStoreCheck } from '../../src/doctor/checks/store/session-store.ts'
import { freePort } from '../support/ports.ts'
import { type SentinelGroup, startSentinelGroup } from '../support/redis/redis-groups.ts'
import { examineOne } from './clinic/examine-one.ts'

let group: SentinelGroup

beforeAll(async () => {
  group = await startSentinelGroup()
}, 30_000)
afterAll(() => group.stop())

const sentinels = () => ({
  REDIS_SENTINELS: group.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(','),
})

describe('a Redis behind Sentinels', () => {
  it('is well, also where the first Sentinels are dead or frozen', async () => {
    const REDIS_SENTINELS = `127.0.0.1:${await freePort()},${sentinels().REDIS_SENTINELS}`
    group.sentinels[0]?.freeze()
    try {
      expect(await examineOne(sessionStoreCheck, { REDIS_SENTINELS })).toMatchObject({ status: 'warn' })
      expect(await examineOne(redisRightsCheck, { REDIS_SENTINELS })).toMatchObject({ status: 'pass' })
    } finally {
      group.sentinels[0]?.thaw()
    }
    expect(await group.master.client().keys('*')).toEqual([])
  })

  it('that refuses our password is told with the settings of both, the servers and the Sentinels', async () => {
    for (const user of ['REDIS_', 'REDIS_SENTINEL_']) {
      const env = { ...sentinels(), [`${user}USERNAME`]: 'nobody', [`${user}PASSWORD`]: 'wrong' }
      expect(await examineOne(sessionStoreCheck, env)).toMatchObject({
        status: 'fail',
        summary: 'Redis refuses our password (WRONGPASS).',
        fix: expect.stringMatching(/REDIS_PASSWORD.* REDIS_SENTINEL_PASSWORD/),
      })
    }
  })

  it('that they do not know is looked for under its name', async () => {
    const env = { ...sentinels(), REDIS_SENTINEL_MASTER: 'another' }
    expect(await examineOne(sessionStoreCheck, env)).toMatchObject({
      status: 'fail',
      fix: 'See whether REDIS_SENTINELS and REDIS_SENTINEL_MASTER are right.',
    })
  })

  it('is not taken for the one that a Sentinel or a replica is', async () => {
    expect(await examineOne(sessionStoreCheck, { REDIS_URL: group.sentinels[0]?.url })).toMatchObject({
      status: 'fail',
      fix: 'Use REDIS_SENTINELS, not REDIS_URL.',
    })
    expect(await examineOne(sessionStoreCheck, { REDIS_URL: group.replica.url })).toMatchObject({
      status: 'fail',
      summary: 'Redis is a read-only replica (READONLY).',
    })
  })
})
