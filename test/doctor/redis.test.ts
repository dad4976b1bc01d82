import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Check } from '../../src/doctor/check.ts'
import { redisPersistenceCheck } from '../../src/doctor/checks/store/redis-persistence.ts'
import { redisRightsCheck } from '../../src/doctor/checks/store/redis-rights.ts'
import { redisVersionCheck } from '../../src/doctor/checks/store/redis-version.ts'
import { sessionStoreCheck } from '../../src/doctor/checks/store/session-store.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { diagnoseRedis } from '../../src/session/store/redis/diagnosis/diagnosis.ts'
import { oldestOf, readVersion } from '../../src/session/store/redis/diagnosis/version.ts'
import { type Certificates, makeCertificates } from '../support/fronts/certificates.ts'
import { freePort } from '../support/ports.ts'
import { type RedisServer, startRedis } from '../support/redis/redis.ts'
import { examineOne } from './clinic/examine-one.ts'

let redis: RedisServer
let certificates: Certificates
let tlsPort = 0

/** The rights of the user that is shipped in `deploy/`. */
const leastRights = / (~coatcheck:.*)/.exec(
  readFileSync(new URL('../../deploy/redis/users.acl', import.meta.url), 'utf8'),
)?.[1]

beforeAll(async () => {
  certificates = await makeCertificates()
  tlsPort = await freePort()
  redis = await startRedis({
    conf: {
      user: [
        `least on >pw-of-least ${leastRights}`,
        `untracked on >pw-of-untracked ${leastRights} resetchannels -client|tracking`,
        `blind on >pw-of-blind ${leastRights} -info -scan`,
        `no-scripts on >pw-of-no-scripts ${leastRights} -eval -evalsha`,
        `pingless on >pw-of-pingless ${leastRights} -ping`,
        `deaf on >pw-of-deaf ${leastRights} -subscribe`,
        `elsewhere on >pw-of-elsewhere ${leastRights} resetkeys ~other:*`,
      ],
      'tls-port': `${tlsPort}`,
      'tls-cert-file': certificates.certificateFile,
      'tls-key-file': certificates.keyFile,
      'tls-ca-cert-file': certificates.caFile,
      'tls-auth-clients': 'no',
    },
  })
})
afterAll(async () => {
  await redis.stop()
  await certificates.remove()
})

const examine = (
  check: Check,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Finding | undefined> => examineOne(check, { REDIS_URL: redis.url, ...env })

const asUser = (name: string) => ({ REDIS_URL: `redis://${name}:pw-of-${name}@127.0.0.1:${redis.port}` })

describe('the rights of our Redis user', () => {
  it('are enough when they are the least that we ship', async () => {
    expect(await examine(redisRightsCheck, asUser('least'))).toMatchObject({ status: 'pass' })
  })

  it('lack what would keep sessions in the cache: a warning', async () => {
    expect(await examine(redisRightsCheck, asUser('untracked'))).toMatchObject({
      status: 'warn',
      summary: expect.stringMatching(/: sessions are not cached, which makes the gateway slower\.$/),
      fix: 'ACL SETUSER <our user> +client|tracking &__redis__:invalidate',
    })
  })

  it('lack what people look at: a warning', async () => {
    expect(await examine(redisRightsCheck, asUser('blind'))).toMatchObject({
      status: 'warn',
      summary:
        'Our Redis user lacks +scan +info: coatcheck sessions cannot list any; nobody notices when Redis evicts sessions.',
    })
  })

  it('lack what the store needs: a fault that names the rule', async () => {
    expect(await examine(redisRightsCheck, asUser('no-scripts'))).toMatchObject({
      status: 'fail',
      fix: 'ACL SETUSER <our user> +eval +evalsha',
    })
    expect(await examine(redisRightsCheck, asUser('elsewhere'))).toMatchObject({
      status: 'fail',
      fix: 'ACL SETUSER <our user> ~coatcheck:*',
    })
  })

  it('lack a sign of life, or the feed: each is named as what it is', async () => {
    expect(await examine(redisRightsCheck, asUser('pingless'))).toMatchObject({
      status: 'fail',
      fix: 'ACL SETUSER <our user> +ping',
    })
    expect(await examine(redisRightsCheck, asUser('deaf'))).toMatchObject({
      status: 'warn',
      fix: 'ACL SETUSER <our user> +subscribe',
    })
  })

  it('are not what is missing where memory is', async () => {
    await redis.client().config('SET', 'maxmemory', '1')
    try {
      await expect(examine(redisRightsCheck, {})).rejects.toThrow('Redis does not answer.')
      expect(await examine(sessionStoreCheck, {})).toMatchObject({
        status: 'fail',
        summary: 'Redis is out of memory (OOM).',
      })
    } finally {
      await redis.client().config('SET', 'maxmemory', '0')
    }
    expect(await redis.client().keys('*')).toEqual([])
  })

  it('are tried without leaving anything behind', async () => {
    await diagnoseRedis({ redisUrl: redis.url }, Date.now)
    expect(await redis.client().keys('*')).toEqual([])
  })
})

it('of several servers the oldest is judged', () => {
  const oldest = (...infos: readonly string[]) => oldestOf(infos.map(readVersion))
  const redis = (version: string): string => `redis_version:${version}\r\n`
  const valkey = 'redis_version:7.2.4\r\nvalkey_version:8.0.1\r\n'
  expect(oldest(redis('7.4.1'), redis('6.0.16'), valkey)?.version).toBe('6.0.16')
  expect(oldest(redis('7.10.0'), redis('7.9.1'))?.version).toBe('7.9.1')
  expect(oldest(valkey, '', redis('6.2.1'), redis('7.0.0'))?.version).toBe('6.2.1')
  expect(oldest('', valkey)).toEqual({ name: 'Valkey', version: '8.0.1' })
  expect(oldest('')).toBeUndefined()
})

describe('the session store', () => {
  it('that refuses our password is named, without the password', async () => {
    const url = `redis://least:wrong-password@127.0.0.1:${redis.port}`
    const finding = await examine(sessionStoreCheck, { REDIS_URL: url })
    expect(finding).toMatchObject({
      status: 'fail',
      summary: 'Redis refuses our password (WRONGPASS).',
      fix: expect.stringContaining('REDIS_URL'),
    })
  })

  it('where nobody listens is named', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`
    expect(await examine(sessionStoreCheck, { REDIS_URL: url })).toMatchObject({
      status: 'fail',
      summary: 'Redis cannot be reached (ECONNREFUSED).',
      fix: 'See whether REDIS_URL is right.',
    })
  })

  it('that ends the connection at once is not said to be slow', async () => {
    const server = createServer((socket) => socket.end())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    expect(await examine(sessionStoreCheck, { REDIS_URL: `redis://127.0.0.1:${port}` })).toMatchObject({
      status: 'fail',
      summary: expect.stringMatching(/^Redis cannot be reached /),
    })
    server.close()
  })

  it('that is no Cluster although nodes of one are named is told apart', async () => {
    const env = { REDIS_URL: undefined, REDIS_CLUSTER_NODES: `127.0.0.1:${redis.port}` }
    expect(await examine(sessionStoreCheck, env)).toMatchObject({
      status: 'fail',
      summary: `Redis at 127.0.0.1:${redis.port} is no Cluster (cluster support disabled).`,
      fix: 'Use REDIS_URL, not REDIS_CLUSTER_NODES.',
    })
  })

  it('that is frozen is named in good time', async () => {
    redis.freeze()
    const startedMs = performance.now()
    const finding = await examine(sessionStoreCheck, {})
    redis.thaw()
    expect(finding).toMatchObject({
      status: 'fail',
      summary: expect.stringContaining('does not answer in time'),
    })
    expect(performance.now() - startedMs).toBeLessThan(8_000)
  })

  it('is well over TLS, with an authority of our own', async () => {
    const env = { REDIS_URL: `rediss://localhost:${tlsPort}`, REDIS_TLS_CA: certificates.ca }
    expect(await examine(sessionStoreCheck, env)).toMatchObject({
      status: 'pass',
      summary: expect.stringMatching(/^Redis answers in [\d.]+ ms, over TLS\.$/),
    })
  })

  it('tells its version, and that it saves nothing', async () => {
    expect(await examine(redisVersionCheck, {})).toMatchObject({ status: 'pass' })
    expect(await examine(redisPersistenceCheck, {})).toMatchObject({
      status: 'warn',
      fix: expect.stringContaining('appendonly'),
    })
  })
})
