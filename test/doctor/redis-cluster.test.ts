import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { clockRedisCheck } from '../../src/doctor/checks/store/clock-redis.ts'
import { redisEvictionCheck } from '../../src/doctor/checks/store/redis-eviction.ts'
import { redisRightsCheck } from '../../src/doctor/checks/store/redis-rights.ts'
import { redisVersionCheck } from '../../src/doctor/checks/store/redis-version.ts'
import { sessionStoreCheck } from '../../src/doctor/checks/store/session-store.ts'
import { type RedisCluster, startCluster } from '../support/redis/redis-groups.ts'
import { examineOne } from './clinic/examine-one.ts'

let cluster: RedisCluster

beforeAll(async () => {
  cluster = await startCluster({ isGated: true })
}, 30_000)
afterAll(() => cluster.stop())
afterEach(() => {
  for (const gate of cluster.gates) gate.rewrite((answer) => answer)
})

/** The gate, server and place of each master. */
const masters = () =>
  cluster.masters.map((server, at) => {
    const gate = cluster.gates[at]
    if (gate === undefined) throw new Error('a Cluster has gates')
    return { server, gate, place: `127.0.0.1:${gate.port}` }
  })

const nodes = () => ({
  REDIS_CLUSTER_NODES: masters()
    .map(({ place }) => place)
    .join(','),
})

/** The rights of the user that is shipped in `deploy/`, and what a Cluster takes besides. */
const leastRights = [
  ...(/ (~coatcheck:.*)/
    .exec(readFileSync(new URL('../../deploy/redis/users.acl', import.meta.url), 'utf8'))?.[1]
    ?.split(' ') ?? []),
  '+cluster|slots',
  '+cluster|info',
]
const app = () => ({ ...nodes(), REDIS_USERNAME: 'app', REDIS_PASSWORD: 'pw-of-app' })

async function resetUser(): Promise<void> {
  const rules = ['SETUSER', 'app', 'reset', 'on', '>pw-of-app', ...leastRights]
  for (const server of cluster.servers) await server.client().call('ACL', rules)
}

async function keysLeft(): Promise<readonly string[]> {
  const keys = await Promise.all(cluster.servers.map((server) => server.client().keys('*')))
  return keys.flat()
}

describe('a Redis Cluster', () => {
  it('is well, for the least user, and nothing is left behind', async () => {
    await resetUser()
    expect(await examineOne(sessionStoreCheck, app())).toMatchObject({ status: 'warn', fix: 'REDIS_TLS=on' })
    expect(await examineOne(redisRightsCheck, app())).toMatchObject({ status: 'pass' })
    expect(await examineOne(redisVersionCheck, app())).toMatchObject({ status: 'pass' })
    expect(await examineOne(clockRedisCheck, app())).toMatchObject({ status: 'pass' })
    expect(await keysLeft()).toEqual([])
  })

  it('is found through one node that knows the others', async () => {
    const REDIS_CLUSTER_NODES = `127.0.0.1:${cluster.replica.port}`
    expect(await examineOne(redisRightsCheck, { REDIS_CLUSTER_NODES })).toMatchObject({ status: 'pass' })
  })

  it.each(['evalsha', 'ping', 'cluster|info', 'cluster|slots'])(
    'of which one server, or two of them, deny %s does not pass, and the rule is named once',
    async (right) => {
      // One node may be asked for the others, always.
      for (const lacking of [...cluster.masters.map((one) => [one]), cluster.masters.slice(0, 2)]) {
        await resetUser()
        for (const server of lacking) await server.client().call('ACL', ['SETUSER', 'app', `-${right}`])
        expect(await examineOne(redisRightsCheck, app())).toMatchObject({
          status: 'fail',
          fix: `ACL SETUSER <our user> +${right}`,
        })
      }
    },
  )

  it('of which one server refuses our password fails, and the server is named', async () => {
    for (const { server, place } of masters()) {
      await resetUser()
      await server.client().call('ACL', ['SETUSER', 'app', 'resetpass', '>another'])
      expect(await examineOne(sessionStoreCheck, app())).toMatchObject({
        status: 'fail',
        summary: `Redis at ${place} refuses our password (WRONGPASS).`,
        fix: expect.stringContaining('REDIS_PASSWORD'),
      })
    }
  })

  it('of which one server keeps its facts to itself is not vouched for by the others', async () => {
    await resetUser()
    await cluster.masters[1]?.client().call('ACL', ['SETUSER', 'app', '-info'])
    const skipped = (check: Parameters<typeof examineOne>[0]) =>
      expect(examineOne(check, app())).rejects.toThrow(/^Not every server of Redis tells .* to our user\.$/)
    await skipped(redisVersionCheck)
    await skipped(redisEvictionCheck)
  })

  it('of which one server refuses writes fails, and the server is named', async () => {
    for (const { server, place } of masters()) {
      await server.client().config('SET', 'maxmemory', '1')
      expect(await examineOne(sessionStoreCheck, nodes())).toMatchObject({
        status: 'fail',
        summary: `Redis at ${place} is out of memory (OOM).`,
      })
      await server.client().config('SET', 'maxmemory', '0')
    }
    expect(await keysLeft()).toEqual([])
  })

  it('of which one server is too old fails, whichever it is', async () => {
    for (const { gate } of masters()) {
      gate.rewrite((answer) =>
        answer.replace(/^(redis_version:)\d\.\d/m, '$16.0').replace('valkey_', 'other_'),
      )
      expect(await examineOne(redisVersionCheck, nodes())).toMatchObject({
        status: 'fail',
        summary: expect.stringMatching(/^Redis 6\.0\S* is too old: /),
      })
      gate.rewrite((answer) => answer)
    }
  })

  it('is told by the clock that is furthest from ours, on whichever server and side', async () => {
    const places = masters()
    for (const at of places.keys()) {
      for (const sign of [1, -1]) {
        // The others are off as well, to the other side, but less.
        for (const [other, { gate }] of places.entries())
          gate.rewrite(setForward(other === at ? sign * 100 : -sign * 50))
        const side = sign > 0 ? 'behind' : 'ahead of'
        expect(await examineOne(clockRedisCheck, nodes())).toMatchObject({
          status: 'fail',
          summary: expect.stringMatching(new RegExp(`^Our clock is (99|100|101) s ${side} Redis'`)),
        })
      }
    }
  })

  it('passes nothing when a connection breaks while the rights are tried, and nothing is left behind', async () => {
    for (const { gate, place } of masters()) {
      const stop = gate.stop('ZADD', 'answer')
      const finding = examineOne(sessionStoreCheck, nodes())
      await stop.answered
      gate.cut()
      stop.release()
      expect(await finding).toMatchObject({
        status: 'fail',
        summary: expect.stringContaining(`Redis at ${place} cannot be reached`),
      })
      const again = gate.stop('ZADD', 'answer')
      const rights = examineOne(redisRightsCheck, nodes())
      const refused = expect(rights).rejects.toThrow('Redis does not answer.')
      await again.answered
      gate.cut()
      again.release()
      await refused
    }
    expect(await keysLeft()).toEqual([])
  })

  it('whose address is taken for that of a single server is told apart', async () => {
    expect(await examineOne(sessionStoreCheck, { REDIS_URL: cluster.masters[0]?.url })).toMatchObject({
      status: 'fail',
      summary: 'Redis is one node of a Cluster (MOVED).',
      fix: 'Use REDIS_CLUSTER_NODES, not REDIS_URL.',
    })
  })

  it('of which one server is down does not pass, though the others go on', async () => {
    for (const server of cluster.servers)
      await server.client().config('SET', 'cluster-require-full-coverage', 'no')
    const last = masters().at(-1)
    await last?.server.kill()
    expect(await examineOne(sessionStoreCheck, nodes())).toMatchObject({
      status: 'fail',
      summary: expect.stringContaining(`Redis at ${last?.place} cannot be reached`),
    })
  })
})

/** Changes the answer to `TIME`. */
function setForward(seconds: number): (answer: string) => string {
  return (answer) =>
    answer.replace(
      /^\*2\r\n\$10\r\n(\d{10})\r\n/,
      (_all, time: string) => `*2\r\n$10\r\n${Number(time) + seconds}\r\n`,
    )
}
