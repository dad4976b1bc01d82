import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gather } from '../../proxy/support/crowd.ts'
import { randomOf } from '../chaos.ts'
import { eventually } from '../eventually.ts'
import { exchange } from '../exchange.ts'
import { type GatewayProcess, startGatewayProcess } from '../gateway/gateway-process.ts'
import { freePort } from '../ports.ts'
import { type ScriptedProvider, startScriptedProvider } from '../provider/scripted-provider.ts'
import { type FickleApi, startFickleApi } from './api.ts'
import { FuzzClient, type FuzzTarget } from './sequences.ts'
import { countDescriptors, socketsOf } from './sockets.ts'

/** Places of each route, all of which one caller may hold: at the end every one of them is asked for. */
const places = 60
const lanes = 24
/** Long after `DRAIN_DELAY`, and shortly before `SHUTDOWN_GRACE` is over. */
const drainsWithinMs = 9_000

/** A gateway process, an API that does what it likes, and clients that do what they like. */
export class ConnectionFuzz {
  readonly faults: string[] = []
  readonly counts = { connections: 0, answers: 0, lines: 0, atApi: 0 }
  readonly #seed: number
  readonly #ends: (() => unknown)[] = []
  #requests = 0
  #firstPaths = new Set<string>()
  /** What each client did, by its port; the last one, where a port was used again. */
  readonly #stories = new Map<number, string>()

  constructor(seed: number) {
    this.#seed = seed
  }

  /** @returns what went wrong, nothing if all is well */
  async run(forMs: number): Promise<readonly string[]> {
    try {
      await this.#run(forMs)
    } finally {
      for (const end of this.#ends.splice(0).reverse()) await end()
    }
    return this.faults
  }

  async #run(forMs: number): Promise<void> {
    const api = await startFickleApi()
    const provider = await startScriptedProvider()
    this.#ends.push(api.stop, provider.stop)
    const { gateway, target } = await this.#startGateway(api, provider)
    const descriptorsBefore = countDescriptors(gateway.pid)
    let hasEnded = false
    void gateway.exited.then(() => (hasEnded = true))
    await this.#storm(target, forMs)
    if (hasEnded) {
      this.#checkFatal(gateway)
      throw new Error(`the process has ended: ${this.faults.join('\n')}`)
    }
    await this.#expectRest(gateway, api, descriptorsBefore)
    await this.#expectPlaces(target)
    await this.#drain(gateway, api, target)
    this.#checkLog(gateway, api)
  }

  #name(): number {
    this.#requests += 1
    return this.#requests
  }

  async #startGateway(
    api: FickleApi,
    provider: ScriptedProvider,
  ): Promise<{ readonly gateway: GatewayProcess; readonly target: FuzzTarget }> {
    const folder = await mkdtemp(join(tmpdir(), 'coatcheck-fuzz-'))
    this.#ends.push(() => rm(folder, { recursive: true }))
    const routes = (['/api', '/maybe', '/open'] as const).map((prefix, at) => ({
      prefix,
      upstream: api.origin,
      auth: (['required', 'optional', 'none'] as const)[at],
      websocket: true,
    }))
    const routesFile = join(folder, 'routes.json')
    await writeFile(routesFile, JSON.stringify({ routes }))
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const gateway = await startGatewayProcess({
      ISSUER_URL: provider.issuer,
      CLIENT_ID: provider.clientId,
      CLIENT_SECRET: provider.clientSecret,
      API_AUDIENCE: provider.audience,
      ROUTES_FILE: routesFile,
      BASE_URL: origin,
      PORT: `${port}`,
      SESSION_SECRET: 'a-secret-of-the-connection-fuzz-0123456789',
      LOG_FORMAT: 'json',
      TRUST_PROXY: '127.0.0.1',
      RATE_LIMIT: 'off',
      MAX_IN_FLIGHT: `${places}`,
      MAX_IN_FLIGHT_PER_SESSION: `${places}`,
      MAX_WEBSOCKETS_PER_SESSION: `${places}`,
      UPSTREAM_FIRST_BYTE_TIMEOUT: '2',
      UPSTREAM_IDLE_TIMEOUT: '2',
      DRAIN_DELAY: '1',
      SHUTDOWN_GRACE: '10',
    })
    this.#ends.push(() => gateway.kill())
    await gateway.ready()
    return { gateway, target: { port, origin, cookie: await signIn(origin, provider) } }
  }

  /** Lanes of clients, one after the other; each has random numbers of its own, so that a seed says what each does. */
  async #storm(target: FuzzTarget, forMs: number): Promise<void> {
    const untilMs = performance.now() + forMs
    const lane = async (at: number): Promise<void> => {
      const random = randomOf(this.#seed + at)
      while (performance.now() < untilMs) {
        const client = new FuzzClient(target, random, () => this.#name())
        await client.run()
        this.counts.connections += 1
        this.#stories.set(client.port, client.story())
        if (!/^HTTP\/1\.1 \d{3} /.test(client.received)) continue
        this.counts.answers += 1
        if (client.firstPath !== undefined) this.#firstPaths.add(pathOf(client.firstPath))
      }
    }
    await Promise.all(Array.from({ length: lanes }, (_, at) => lane(at)))
  }

  /** Nothing is left: no descriptor at the gateway, no call at the API. */
  async #expectRest(gateway: GatewayProcess, api: FickleApi, before: number): Promise<void> {
    await this.#expect('descriptors return to what they were', 20_000, () => {
      const now = countDescriptors(gateway.pid)
      if (now > before + 2) throw new Error(`${now} instead of ${before}: ${this.#leftOf(gateway, api)}`)
    })
    await this.#expect('the API has no open call', 5_000, () => {
      if (api.open().length > 0) throw new Error(api.open().join(', '))
    })
  }

  /** The connections that the gateway still has: on which side, in which state, and what their clients did. */
  #leftOf(gateway: GatewayProcess, api: FickleApi): string {
    const apiPort = Number(new URL(api.origin).port)
    const lines = socketsOf(gateway.pid).map(({ state, localPort, remotePort, unread, unsent }) => {
      const queues = `${state}, ${unread} unread, ${unsent} unsent`
      if (remotePort === apiPort) return `to the API from ${localPort}: ${queues}`
      if (localPort !== gateway.port) return `to port ${remotePort}: ${queues}`
      return `to the client ${remotePort}: ${queues}; it did ${this.#stories.get(remotePort)}`
    })
    return ['', ...lines].join('\n  ')
  }

  /** Every place of every route can be taken. */
  async #expectPlaces(target: FuzzTarget): Promise<void> {
    for (const prefix of ['/api', '/maybe', '/open']) {
      const name = this.#name()
      const crowd = await gather(
        target.port,
        places,
        () =>
          `GET ${prefix}/${name}/events HTTP/1.1\r\nhost: x\r\nsec-fetch-site: same-origin\r\ncookie: ${target.cookie}\r\n\r\n`,
      )
      // What the storm left in the queue of connections is looked at before.
      await this.#expect(`all places of ${prefix} are free`, 20_000, () => {
        const heads = crowd.received().map((text) => text.slice(0, 12))
        if (heads.some((head) => head !== 'HTTP/1.1 200')) throw new Error(tally(heads))
      })
      await crowd.leave()
    }
  }

  /** Told to stop in the middle of it all, it ends, and well. */
  async #drain(gateway: GatewayProcess, api: FickleApi, target: FuzzTarget): Promise<void> {
    const storm = this.#storm(target, 1_500)
    let left = ''
    const look = setTimeout(() => {
      left = this.#leftOf(gateway, api)
    }, drainsWithinMs)
    gateway.terminate()
    const code = await gateway.exited
    clearTimeout(look)
    if (code !== 0) this.faults.push(`the process ended with ${code}, and had before: ${left}`)
    await storm.catch(() => undefined)
  }

  #checkLog(gateway: GatewayProcess, api: FickleApi): void {
    const lines = gateway.log().filter(({ msg }) => msg === 'request')
    this.counts.lines = lines.length
    this.counts.atApi = api.asked.size
    const counts = new Map<string, number>()
    for (const { path, requestId } of lines) {
      for (const key of [`id ${requestId}`, `path ${path}`]) counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    const isNamed = (key: string): boolean => /^id |\/\d+\/[a-z]+$/.test(key)
    for (const [key, count] of counts) {
      // The crowd that asks for all places has one name.
      if (count !== 1 && isNamed(key) && count !== places) this.faults.push(`${count} lines for ${key}`)
    }
    for (const name of api.asked) {
      const isLogged = ['/api', '/maybe', '/open'].some((prefix) => counts.has(`path ${prefix}/${name}`))
      if (!isLogged) this.faults.push(`no line for ${name}, which reached the API`)
    }
    for (const path of this.#firstPaths) {
      if (!counts.has(`path ${path}`)) this.faults.push(`no line for ${path}, which was answered`)
    }
    this.#checkFatal(gateway)
  }

  #checkFatal(gateway: GatewayProcess): void {
    const fatal = gateway.log().filter(({ level }) => level === 'error' || level === 'fatal')
    for (const line of fatal) this.faults.push(JSON.stringify(line))
  }

  async #expect(what: string, withinMs: number, assertion: () => void): Promise<void> {
    await eventually(assertion, withinMs).catch((error: Error) => {
      this.faults.push(`not true that ${what}: ${error.message}`)
    })
  }
}

function pathOf(target: string): string {
  return target.split('?', 1)[0] ?? ''
}

/** How often each is there. */
function tally(texts: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return [...counts].map(([text, count]) => `${count} times '${text}'`).join(', ')
}

async function signIn(origin: string, provider: ScriptedProvider): Promise<string> {
  const begun = await exchange({ method: 'GET', url: new URL('/login', origin), headers: {} })
  const query = provider.approve(new URL(begun.headers.location ?? ''))
  const cookie = begun.setCookies[0]?.split(';', 1)[0] ?? ''
  const done = await exchange({
    method: 'GET',
    url: new URL(`/callback?${query}`, origin),
    headers: { cookie },
  })
  const session = done.setCookies.find((each) => /^coatcheck-\d+=[^;]/.test(each))
  if (session === undefined) throw new Error(`the sign-in ended with ${done.status}`)
  return session.split(';', 1)[0] ?? ''
}
