import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, connect as openSocket, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { type Certificates, makeCertificates } from '../../support/fronts/certificates.ts'
import { freePort } from '../../support/ports.ts'
import { type RedisConf, type RedisServer, startRedis } from '../../support/redis/redis.ts'
import {
  expectUnavailable,
  newHash,
  newRow,
  openStore,
  operations,
  untilReady,
} from '../../support/redis/redis-stores.ts'

const cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function startServer(conf: RedisConf): Promise<RedisServer> {
  const server = await startRedis({ conf })
  cleanups.push(() => server.stop())
  return server
}

const open: typeof openStore = (options) => {
  const logged = openStore(options)
  cleanups.push(() => logged.store.close())
  return logged
}

describe('over TLS, the store', () => {
  async function startTls(names?: string): Promise<{ certificates: Certificates; server: RedisServer }> {
    const certificates = await makeCertificates(names)
    cleanups.push(() => certificates.remove())
    const plain = await startServer({})
    await plain.stop()
    const server = await startServer({
      port: '0',
      'tls-port': `${plain.port}`,
      'tls-cert-file': certificates.certificateFile,
      'tls-key-file': certificates.keyFile,
      'tls-ca-cert-file': certificates.caFile,
      'tls-auth-clients': 'no',
    })
    return { certificates, server: { ...server, url: `rediss://127.0.0.1:${plain.port}` } }
  }

  it('works, its feed included, with an authority that it was told to trust', async () => {
    const { certificates, server } = await startTls()
    const logged = open({ redisUrl: server.url, redisTlsCa: certificates.ca })
    await untilReady(logged)
    expect(await logged.store.create(newHash(), newRow(), 5_000)).toBe(true)
  })

  it('refuses a certificate that nobody it trusts has signed', async () => {
    const { server } = await startTls()
    const logged = open({ redisUrl: server.url })
    await eventually(() => expect(logged.messages).toContain('session store unavailable'))
    await expectUnavailable(logged.store.read(newHash()))
  })

  it('refuses a certificate for another name', async () => {
    const { certificates, server } = await startTls('DNS:elsewhere.example')
    const logged = open({ redisUrl: server.url, redisTlsCa: certificates.ca })
    await eventually(() => expect(logged.messages).toContain('session store unavailable'))
    await expectUnavailable(logged.store.read(newHash()))
  })
})

describe('closed within a TLS handshake, the store', () => {
  it('survives that the certificate is refused as well', async () => {
    const certificates = await makeCertificates('DNS:elsewhere.example')
    cleanups.push(() => certificates.remove())
    const port = await freePort()
    await startServer({
      port: '0',
      'tls-port': `${port}`,
      'tls-cert-file': certificates.certificateFile,
      'tls-key-file': certificates.keyFile,
      'tls-auth-clients': 'no',
    })
    const held: (() => void)[] = []
    const ended: Promise<unknown>[] = []
    const between = createServer((near: Socket) => {
      const far = openSocket(port, '127.0.0.1')
      far.on('error', () => undefined)
      near.on('error', () => undefined).pipe(far)
      held.push(() => far.pipe(near))
      // Whatever goes wrong on it: only its end counts.
      ended.push(new Promise((resolve) => near.once('close', resolve)))
    }).listen(0, '127.0.0.1')
    cleanups.push(async () => void between.close())
    await once(between, 'listening')
    const { store } = open({
      redisUrl: `rediss://127.0.0.1:${(between.address() as AddressInfo).port}`,
      redisTlsCa: certificates.ca,
    })
    await eventually(() => expect(held).toHaveLength(2))
    // What nobody hears ends the process, and this run with it.
    await store.close()
    for (const release of held) release()
    await Promise.all(ended)
  })
})

/** The least rights, as they are shipped for operators; what the feed needs can be left out. */
const leastRights = /^user coatcheck on #PASSWORD_SHA256 ~coatcheck:\* (.*)$/m.exec(
  readFileSync(new URL('../../../deploy/redis/users.acl', import.meta.url), 'utf8'),
)?.[1]
if (leastRights === undefined) throw new Error('deploy/redis/users.acl has no rights')
const rightsWithoutFeed = leastRights.replace(/ (&\S+|\+client\|tracking|\+subscribe)/g, '')
const password = 'a-password-of-redis'

describe('as an ACL user, the store', () => {
  async function openAs(rights: string): Promise<ReturnType<typeof openStore>> {
    const user = `coatcheck on >${password} ~coatcheck:* ${rights}`
    const server = await startServer({ user: ['default off', user] })
    return open({ redisUrl: server.url, redisUsername: 'coatcheck', redisPassword: password })
  }

  it('works completely with the documented least rights', async () => {
    const logged = await openAs(leastRights)
    await untilReady(logged)
    const { store } = logged
    const h = newHash()
    for (const [, operate] of operations) await operate(store, h)
    const row = newRow()
    await store.create(h, row, 60_000)
    await store.replace(h, row.writeId, newRow(), 1_000)
    await store.renewLease(h, 'owner', 1_000)
    await store.releaseLease(h, 'owner')
    await store.addToIndex('coatcheck:by-sub:x', { h: newHash(), issuedAtSeconds: 1 }, 1_000)
    await store.addToIndex('coatcheck:by-sub:x', { h, issuedAtSeconds: 1 }, 1_000)
    await store.readIndex('coatcheck:by-sub:x', { offset: 0, count: 1_000 })
    await store.take(h, 'attempt', 1_000)
    await store.readTaken(h, 'attempt')
    await store.removeFromIndex('coatcheck:by-sub:x', [h])
    await store.readFacts([h])
    await store.writeTombstone('coatcheck:ended:x', 1_000)
    await store.recordTokenUse('x', 1_000)
    await store.isTokenUsed('x')
    for await (const hs of store.scan()) expect(hs).toContain(h)
    expect(store.status()).toEqual({ ready: true, reason: undefined, note: undefined })
    expect(logged.messages).toEqual([])
  })

  it('without the rights for tracking works without its feed, and says so in one line', async () => {
    const logged = await openAs(rightsWithoutFeed)
    await eventually(() => logged.store.ping())
    await eventually(() => expect(logged.messages).toHaveLength(1))
    expect(logged.messages[0]).toContain('sessions are not cached')
    expect(await logged.store.create(newHash(), newRow(), 5_000)).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect(logged.store.changes.isLive()).toBe(false)
    expect(logged.store.status().ready).toBe(true)
    expect(logged.messages).toHaveLength(1)
  })

  it('with a wrong password says that it is refused, without the password', async () => {
    const server = await startServer({ user: ['default off', `coatcheck on >${password} ~* +@all`] })
    const wrong = 'not-the-password'
    const logged = open({ redisUrl: server.url, redisUsername: 'coatcheck', redisPassword: wrong })
    await eventually(() => expect(logged.store.status().reason).toBe('Redis refuses our password.'))
    await expectUnavailable(logged.store.read(newHash()))
    expect(logged.text()).not.toContain(wrong)
  })

  it('takes user, password and database from the URL', async () => {
    const secret = 'p@ss/word:1'
    const rights = '~* +@all allchannels'
    const server = await startServer({ user: ['default off', `coatcheck on >${secret} ${rights}`] })
    const redisUrl = `redis://coatcheck:${encodeURIComponent(secret)}@127.0.0.1:${server.port}/3`
    const logged = open({ redisUrl })
    await untilReady(logged)
    const h = newHash()
    await logged.store.create(h, newRow(), 5_000)
    const elsewhere = open({ redisUrl: redisUrl.replace('/3', '/0') })
    await untilReady(elsewhere)
    expect(await elsewhere.store.read(h)).toBeUndefined()
    expect(await logged.store.read(h)).toBeDefined()
  })
})
