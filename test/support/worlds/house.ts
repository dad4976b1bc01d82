import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request as sendRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type HouseConfig, loadHouse } from '../../../src/config/frontends/load-house.ts'
import { createIssuers } from '../../../src/house/issuers.ts'
import { createHouse, type House, type HouseParts } from '../../../src/house.ts'
import { createTelemetry } from '../../../src/telemetry/create-telemetry.ts'
import { startUpstream, type Upstream } from '../api/upstream.ts'
import { type ScriptedProvider, startScriptedProvider } from '../provider/scripted-provider.ts'
import { unhurried } from '../unhurried.ts'

/** The frontends of the tests: an origin of its own, and two beneath paths of another. */
export const frontendUrls = {
  shop: 'https://shop.example.test',
  desk: 'https://internal.example.test/desk',
  till: 'https://internal.example.test/till',
} as const

/** One of {@link frontendUrls}. */
export type FrontendName = keyof typeof frontendUrls

/** All of them. */
export const frontendNames = Object.keys(frontendUrls) as readonly FrontendName[]

/** An answer, as it came. */
export interface HouseAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly setCookies: readonly string[]
  readonly body: string
  json(): Record<string, unknown>
}

/** What is sent besides the path. */
export interface HouseRequest {
  readonly method?: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string
  /** Which node of those on one store. */
  readonly node?: number
}

/** Three frontends, each with a provider and an API of its own, in this process. */
export interface TestHouse {
  readonly folder: string
  readonly house: House
  readonly port: number
  readonly providers: Readonly<Record<FrontendName, ScriptedProvider>>
  readonly upstreams: Readonly<Record<FrontendName, Upstream>>
  readonly env: Readonly<Record<string, string>>
  /** A request to a frontend, `path` beneath its `BASE_URL`. */
  ask(frontend: FrontendName, path: string, request?: HouseRequest): Promise<HouseAnswer>
  /** Signs in; resolves to the `cookie` header. */
  signIn(frontend: FrontendName, node?: number, provider?: FrontendName): Promise<string>
  /** Writes the file anew; `changes` are settings by frontend, `undefined` leaves one out. */
  write(
    changes: Readonly<Partial<Record<FrontendName, Readonly<Record<string, unknown>> | undefined>>>,
  ): Promise<HouseConfig>
  /** The same, and every node takes the file. */
  reload(changes: Parameters<TestHouse['write']>[0]): Promise<void>
  stop(): Promise<void>
}

/** What a test may choose. */
export interface TestHouseOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly changes?: Readonly<Partial<Record<FrontendName, Readonly<Record<string, unknown>>>>>
  readonly nodes?: number
  readonly idleMs?: number
  readonly shedder?: HouseParts['shedder']
}

/** What a fetch of a page of the frontend sends. */
export const ownFetch = { 'sec-fetch-site': 'same-origin', 'x-csrf': '1' }

const secret = 'a-secret-of-the-whole-house-0123456789abcdef'

/** Starts it, with the memory store unless the environment names a Redis. */
export async function startHouse(options: TestHouseOptions = {}): Promise<TestHouse> {
  const folder = await mkdtemp(join(tmpdir(), 'coatcheck-house-'))
  const file = join(folder, 'frontends.json')
  const providers = await eachFrontend((name) => startScriptedProvider({ clientId: `client-of-${name}` }))
  const upstreams = await eachFrontend(() => startUpstream())
  const written = (name: FrontendName): Record<string, unknown> => ({
    BASE_URL: frontendUrls[name],
    ISSUER_URL: providers[name].issuer,
    CLIENT_ID: providers[name].clientId,
    CLIENT_SECRET: providers[name].clientSecret,
    API_AUDIENCE: providers[name].audience,
    API_URL: upstreams[name].origin,
  })
  const env = { FRONTENDS_FILE: file, SESSION_SECRET: secret, LOG_LEVEL: 'silent', ...options.env }
  const write: TestHouse['write'] = async (changes) => {
    const kept = frontendNames.filter((name) => !(name in changes) || changes[name] !== undefined)
    const frontends = Object.fromEntries(kept.map((name) => [name, { ...written(name), ...changes[name] }]))
    await writeFile(file, JSON.stringify({ frontends }))
    return loadHouse(env)
  }
  const config = await write(options.changes ?? {})
  const houses: House[] = []
  for (let node = 0; node < (options.nodes ?? 1); node++) houses.push(await listen(config, options))
  const ports = houses.map((house) => (house.server.address() as AddressInfo).port)
  const [house] = houses
  const [port] = ports
  if (house === undefined || port === undefined) throw new Error('no node')
  const ask: TestHouse['ask'] = (frontend, path, request = {}) => {
    const { host, pathname } = new URL(frontendUrls[frontend])
    const target = `${pathname === '/' ? '' : pathname}${path}`
    return send(ports[request.node ?? 0] ?? port, target, {
      ...request,
      headers: { host, ...request.headers },
    })
  }
  return {
    folder,
    house,
    port,
    providers,
    upstreams,
    env,
    ask,
    write,
    async reload(changes) {
      const next = await write(changes)
      await Promise.all(houses.map((one) => one.reload(next)))
    },
    signIn: (frontend, node = 0, provider = frontend) => signIn(ask, frontend, providers[provider], node),
    async stop() {
      for (const one of houses) await one.close()
      await eachFrontend((name) => providers[name].stop())
      await eachFrontend((name) => upstreams[name].stop())
      await rm(folder, { recursive: true })
    },
  }
}

async function listen(
  config: HouseConfig,
  { idleMs, shedder = unhurried }: TestHouseOptions,
): Promise<House> {
  const telemetry = await createTelemetry(config.process)
  const issuers = createIssuers(telemetry)
  const parts: HouseParts = { telemetry, issuers, shedder, ...(idleMs === undefined ? {} : { idleMs }) }
  const house = await createHouse(config, parts)
  await house.listen({ port: 0, host: '127.0.0.1' })
  return house
}

async function eachFrontend<Made>(
  make: (name: FrontendName) => Promise<Made>,
): Promise<Record<FrontendName, Made>> {
  const made = await Promise.all(frontendNames.map(async (name) => [name, await make(name)] as const))
  return Object.fromEntries(made) as Record<FrontendName, Made>
}

/** Sends a request as it is, its `host` included. */
export function send(port: number, path: string, request: Omit<HouseRequest, 'node'>): Promise<HouseAnswer> {
  const { method = 'GET', headers = {}, body } = request
  return new Promise((resolve, reject) => {
    const sent = sendRequest({ port, host: '127.0.0.1', path, method, headers, agent: false }, (response) => {
      response.setEncoding('utf8')
      let text = ''
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          setCookies: response.headers['set-cookie'] ?? [],
          body: text,
          json: () => JSON.parse(text) as Record<string, unknown>,
        }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Signs in at a frontend, wherever it runs; resolves to the `cookie` header. */
export async function signIn(
  ask: TestHouse['ask'],
  frontend: FrontendName,
  provider: ScriptedProvider,
  node: number,
): Promise<string> {
  for (;;) {
    const begun = await ask(frontend, '/login', { node })
    // Discovery may still be under way.
    if (begun.status === 503) continue
    const query = provider.approve(new URL(begun.headers.location ?? ''))
    const cookie = begun.setCookies.map((each) => each.split(';', 1)[0]).join('; ')
    const done = await ask(frontend, `/callback?${query}`, { headers: { cookie }, node })
    const session = done.setCookies.find((each) => !/-login-/.test(each))
    if (session === undefined)
      throw new Error(`the sign-in at ${frontend} ended with ${done.status}: ${done.body}`)
    return session.split(';', 1)[0] ?? ''
  }
}
