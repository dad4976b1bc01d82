import { readFileSync } from 'node:fs'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { createBrowser, type Tab } from '../support/browser/browser-client.ts'
import { eventually } from '../support/eventually.ts'
import { type Container, checkHealth, startContainer } from '../support/image/container.ts'
import { areImagesLeftOut, openImage, titleOf } from '../support/image/images.ts'
import { freePort } from '../support/ports.ts'
import { type RedisServer, startRedis } from '../support/redis/redis.ts'

interface Service {
  readonly image: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly healthcheck?: { readonly test: readonly string[] }
}

const file = readFileSync(new URL('../../docker-compose.yml', import.meta.url), 'utf8')
const { services } = parse(file, { merge: true }) as { services: Readonly<Record<string, Service>> }

/** A container begins no quicker than the machine lets it. */
const startsWithinMs = 30_000

/** Runs services of docker-compose.yml on the network of this machine: names become loopback, ports free ones. */
async function createCompose(redis: RedisServer, data: string) {
  const ports = new Map<string, number>([['redis:6379', redis.port]])
  for (const place of ['localhost:3000', '127.0.0.1:3001', '127.0.0.1:4000', 'api:8080'])
    ports.set(place, await freePort())
  ports.set('provider:4000', ports.get('127.0.0.1:4000') ?? 0)
  const byOldPort = new Map([...ports].map(([place, port]) => [place.split(':')[1], `${port}`]))
  const relocate = (text: string): string =>
    [...ports].reduce((moved, [place, port]) => {
      const host = place.startsWith('localhost') ? 'localhost' : '127.0.0.1'
      return moved.replaceAll(place, `${host}:${port}`)
    }, text)
  const running: Container[] = []
  async function up(name: string): Promise<Container> {
    const { image, command, environment = {} } = services[name] as Service
    const moved = Object.entries(environment).map(([key, value]) => [key, relocate(value)])
    const env = Object.fromEntries([...moved, ['HOST', '127.0.0.1']])
    if (env.PORT !== undefined) env.PORT = byOldPort.get(env.PORT)
    const from = openImage(image === 'coatcheck' ? 'coatcheck' : 'demo')
    const options = { env, folders: { '/demo-data': data } }
    const container = await startContainer(from, command === undefined ? options : { ...options, command })
    running.push(container)
    const test = services[name]?.healthcheck?.test
    const check =
      test === undefined
        ? undefined
        : {
            Test: test.map((word) =>
              word.replace(/(?<=127\.0\.0\.1:)\d+/, (port) => byOldPort.get(port) ?? port),
            ),
          }
    const checked = check === undefined ? from : { ...from, config: { ...from.config, Healthcheck: check } }
    if (name !== 'setup')
      await eventually(async () => {
        if ((await checkHealth(checked, env)) !== 0) throw new Error(`${name}: ${container.output()}`)
      }, startsWithinMs)
    return container
  }
  return {
    up,
    origin: `http://localhost:${ports.get('localhost:3000')}`,
    second: `http://127.0.0.1:${ports.get('127.0.0.1:3001')}`,
    /** All of them, the last one first. Resolves to their exit codes. */
    async down() {
      const codes: (number | null)[] = []
      for (const container of running.reverse()) codes.push(await container.stop())
      return codes
    },
  }
}

describe.skipIf(areImagesLeftOut)(titleOf('docker compose up with the images'), () => {
  let redis: RedisServer
  let data: string
  let compose: Awaited<ReturnType<typeof createCompose>>

  beforeAll(async () => {
    redis = await startRedis()
    data = await mkdtemp(join(tmpdir(), 'coatcheck-demo-data-'))
    // As a fresh volume takes the owner of the folder that it is mounted on.
    await chown(data, 1_000, 1_000)
    compose = await createCompose(redis, data)
    expect(await (await compose.up('setup')).exited).toBe(0)
    for (const name of ['provider', 'api', 'gateway', 'gateway-without-audience']) await compose.up(name)
  }, 180_000)
  afterAll(async () => {
    await redis?.stop()
    if (data !== undefined) await rm(data, { recursive: true })
  })

  async function signIn(origin: string): Promise<Tab> {
    const tab = createBrowser({ baseUrl: new URL(origin) }).tab()
    const page = await tab.open('/login')
    await tab.submit(page.url.href, { user: 'demo|ada' })
    return tab
  }

  it('signs Ada in, who gets her coats and the inventory with a bound token', async () => {
    const tab = await signIn(compose.origin)
    expect((await tab.fetch('/session')).json()).toMatchObject({
      authenticated: true,
      user: { name: 'Ada Okafor' },
    })
    expect((await tab.fetch('/api/inventory')).status).toBe(200)
    expect((await tab.fetch('/api/me')).text()).toContain('that the sender has its key')
    expect((await tab.open('/')).answer.text()).toContain('<!doctype html>')
  })

  it('says at the second gateway, which asks for no audience, why its token is of no use', async () => {
    const tab = createBrowser({ baseUrl: new URL(compose.second) }).tab()
    const page = await tab.open('/login')
    const { answer } = await tab.submit(page.url.href, { user: 'demo|ada' })
    expect([answer.status, answer.text()]).toEqual([502, expect.stringContaining('access_token_unusable')])
  })

  it('signs her out', async () => {
    const tab = await signIn(compose.origin)
    const left = await tab.submit('/logout', {}, { stopBefore: (url) => url.origin !== compose.origin })
    expect(left.answer.status).toBe(303)
    expect((await tab.fetch('/api/me')).status).toBe(401)
  })

  it('ends every service in order when it is told to stop', async () => {
    expect(await compose.down()).toEqual([0, 0, 0, 0, 0])
  })
})
