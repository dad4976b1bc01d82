import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startUpstream, type Upstream, valuesOf } from '../support/api/upstream.ts'
import { createBrowser, type Tab } from '../support/browser/browser-client.ts'
import { eventually } from '../support/eventually.ts'
import { type Container, checkHealth, startContainer } from '../support/image/container.ts'
import { areImagesLeftOut, type Image, openImage, titleOf } from '../support/image/images.ts'
import { freePort } from '../support/ports.ts'
import {
  apiAudience,
  startTestProvider,
  type TestProvider,
  testClient,
} from '../support/provider/oidc-provider.ts'
import { type RedisServer, startRedis } from '../support/redis/redis.ts'

/** A container begins no quicker than the machine lets it. */
const startsWithinMs = 30_000

describe.skipIf(areImagesLeftOut)(titleOf('a container of the image'), () => {
  let image: Image
  let redis: RedisServer
  let provider: TestProvider
  let upstream: Upstream
  let spa: string
  let origin: string
  let env: Record<string, string>
  let container: Container

  const start = async (): Promise<Container> => {
    const started = await startContainer(image, { env, folders: { '/spa': spa } })
    await eventually(async () => {
      const answer = await fetch(`${origin}/readyz`).catch(() => undefined)
      if (answer?.ok !== true) throw new Error(started.output())
    }, startsWithinMs)
    return started
  }
  async function signIn(): Promise<Tab> {
    const tab = createBrowser({ baseUrl: new URL(origin) }).tab()
    await tab.open('/login?returnTo=/welcome')
    expect(tab.url?.pathname).toBe('/welcome')
    return tab
  }

  beforeAll(async () => {
    image = openImage('coatcheck')
    const port = await freePort()
    origin = `http://127.0.0.1:${port}`
    redis = await startRedis()
    upstream = await startUpstream()
    provider = await startTestProvider({
      baseUrl: origin,
      backchannelLogoutUrl: `${origin}/backchannel-logout`,
    })
    spa = await mkdtemp(join(tmpdir(), 'coatcheck-spa-'))
    await chmod(spa, 0o755)
    await writeFile(join(spa, 'index.html'), '<!doctype html><title>App</title>', { mode: 0o644 })
    env = {
      BASE_URL: origin,
      PORT: `${port}`,
      HOST: '127.0.0.1',
      ISSUER_URL: provider.issuer,
      CLIENT_ID: testClient.id,
      CLIENT_SECRET: testClient.secret,
      API_AUDIENCE: apiAudience,
      API_URL: upstream.origin,
      SESSION_SECRET: 'a-secret-of-the-container-0123456789-abcdef',
      SESSION_STORE: 'redis',
      REDIS_URL: redis.url,
      SPA_DIR: '/spa',
      DRAIN_DELAY: '2',
    }
    container = await start()
  }, 120_000)
  afterAll(async () => {
    await container?.stop()
    await provider?.stop()
    await upstream?.stop()
    await redis?.stop()
    if (spa !== undefined) await rm(spa, { recursive: true })
  })

  it('runs as user 1000 without any rights, and can write nowhere', async () => {
    const status = readFileSync(`/proc/${container.pid}/status`, 'utf8')
    const of = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1]
    expect(of('Uid')?.split('\t')).toEqual(Array(4).fill('1000'))
    expect(of('Gid')?.split('\t')).toEqual(Array(4).fill('1000'))
    expect(['CapEff', 'CapPrm', 'CapInh', 'CapAmb'].map((name) => Number(of(name)))).toEqual([0, 0, 0, 0])
    expect(of('NoNewPrivs')).toBe('1')
    const writes =
      "try { require('node:fs').writeFileSync(process.argv[1] + '/x', ''); process.exit(0) } catch ({ code }) { console.log(code); process.exit(7) }"
    for (const folder of ['/app', '/tmp', '/home/node', '/usr/local/bin']) {
      const tried = await startContainer(image, { instead: ['node', '-e', writes, folder] })
      expect([folder, await tried.exited, tried.output().trim()]).toEqual([folder, 7, 'EROFS'])
    }
  })

  it('is found healthy by its own check, and one that does not answer is not', async () => {
    expect(await checkHealth(image, env)).toBe(0)
    expect(await checkHealth(image, { PORT: `${await freePort()}` })).toBe(1)
  })

  it('signs somebody in, with the session in Redis, and calls the API with the token', async () => {
    const tab = await signIn()
    const arrived = upstream.next()
    expect((await tab.fetch('/api/orders')).status).toBe(200)
    expect(valuesOf(await arrived, 'authorization')).toEqual([expect.stringMatching(/^Bearer eyJ/)])
    expect(await redis.client().keys('coatcheck:session:*')).toHaveLength(1)
    expect((await tab.open('/deep/link')).answer.text()).toContain('<title>App</title>')
  })

  it('serves its browser helper, and its other commands run in it', async () => {
    const helper = await fetch(`${origin}/client.js`)
    expect([helper.status, await helper.text()]).toEqual([200, expect.stringContaining('createCoatcheck')])
    const secret = await startContainer(image, { command: ['secret'] })
    expect([await secret.exited, secret.output()]).toEqual([0, expect.stringMatching(/^[\w-]{43,}\s*$/)])
  })

  it('drains in order as the first process of its container: it says so, finishes what is under way, and ends with 0', async () => {
    const tab = await signIn()
    const held = Promise.withResolvers<void>()
    const reached = upstream.next()
    upstream.on('/slow', async (response) => {
      await held.promise
      response.end('done')
    })
    const slow = tab.fetch('/api/slow')
    await reached
    container.signal('SIGTERM')
    await eventually(async () => expect((await fetch(`${origin}/readyz`)).status).toBe(503))
    expect((await fetch(`${origin}/livez`)).status).toBe(200)
    expect((await tab.fetch('/api/orders')).status).toBe(200)
    await eventually(() => expect(fetch(`${origin}/livez`)).rejects.toThrow(), 10_000)
    held.resolve()
    expect((await slow).text()).toBe('done')
    expect(await container.exited).toBe(0)
    container = await start()
  })

  it('says what is missing, and ends, when it has no settings', async () => {
    const bare = await startContainer(image)
    expect(await bare.exited).toBe(1)
    expect(bare.output()).toContain('BASE_URL')
  })
})
