import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startTestApi, type TestApi } from '../api/api.ts'
import { strangeAuditLines } from '../audit-lines.ts'
import { type Browser, createBrowser, type Tab } from '../browser/browser-client.ts'
import { type GatewayProcess, startGatewayProcess } from '../gateway/gateway-process.ts'
import { freePort } from '../ports.ts'
import {
  apiAudience,
  startTestProvider,
  type TestProvider,
  type TestProviderOptions,
  testClient,
} from '../provider/oidc-provider.ts'
import { type RedisServer, startRedis } from '../redis/redis.ts'
import { watchRedis } from '../redis/redis-watch.ts'
import { type Placement, place } from './placement.ts'
import { scanWorld } from './world-scan.ts'

/** What a world is made of. */
export interface WorldOptions {
  /** Gateway processes that answer for one origin on one Redis. Default 1. */
  readonly gateways?: number
  /** `https` as behind a proxy that ends TLS (the default), or plain `http` on loopback as in development. */
  readonly scheme?: 'https' | 'http'
  /** Default `alone`; other placements are for `https`. */
  readonly placement?: Placement
  readonly settings?: Readonly<Record<string, string>>
  readonly provider?: Partial<TestProviderOptions>
  /** Directives of `redis.conf`. */
  readonly redisConf?: Readonly<Record<string, string>>
  /** Whether the provider runs when the gateways start. Default true. */
  readonly providerUp?: boolean
}

/** A browser that reaches a given gateway, or each in turn. */
export interface WorldBrowserOptions {
  readonly via?: number | 'in turn'
}

/** Everything around a gateway, real: provider, API, Redis, browsers; all of it stopped, and searched for leaks, in the end. */
export interface World {
  readonly provider: TestProvider
  readonly api: TestApi
  readonly redis: RedisServer
  /** `BASE_URL`. */
  readonly baseUrl: URL
  /** A path of the application as it stands beneath the origin. */
  at(path: string): string
  /** Where logout tokens are sent. */
  readonly backchannelLogoutUrl: string
  /** Every gateway process, also those that have ended. */
  readonly gateways: readonly GatewayProcess[]
  readonly browsers: readonly Browser[]
  readonly secrets: readonly string[]
  /** What was collected elsewhere and is searched for leaks too, by name: answers of the admin listener, traces. */
  readonly collected: Map<string, string | Buffer>
  readonly sessionCookieName: string
  redisContent(): Buffer
  /** Restarts Redis, empty. */
  restartRedis(): Promise<void>
  browser(options?: WorldBrowserOptions): Browser
  /** Signs in; the tab shows the application then. */
  signIn(browser?: Browser, loginHint?: string): Promise<Tab>
  /**
   * Signs in that many browsers whose access token is past use, so that their next call needs a refresh; the tokens after that are
   * good for long. Waits once for all of them.
   */
  signInExpired(count: number, options?: WorldBrowserOptions): Promise<readonly Browser[]>
  /** Another browser double with the session of the first: the same browser, as the balancer would send it elsewhere. */
  sameSession(browser: Browser, options: WorldBrowserOptions): Browser
  /** The session cookie that a browser holds. */
  sessionCookie(browser: Browser): string | undefined
  /**
   * Starts a gateway with changed settings in the place of number `index`, which is stopped if it still runs, and waits until it
   * listens; its store and provider may take longer.
   */
  replaceGateway(index: number, settings?: Readonly<Record<string, string>>): Promise<GatewayProcess>
  /** Hashes of the sessions in Redis. */
  sessionKeys(): Promise<readonly string[]>
  /** @throws Error that lists every secret found where it must not be */
  stop(): Promise<void>
}

const sessionSecret = 'first-session-secret-of-the-tests-0123456789'

/** A gateway sends even the shortest-lived token for its first five seconds, lest it refresh at each request. */
const shortTtlSeconds = 5
const longTtlSeconds = 600

const spaFolder = fileURLToPath(new URL('../spa', import.meta.url))

/** What has to be ended, in the order in which it was begun. */
type Cleanup = (() => unknown)[]

/** Builds the world; call {@link World.stop} after the test. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const cleanup: Cleanup = []
  try {
    return await buildWorld(options, cleanup)
  } catch (error) {
    await endAll(cleanup)
    throw error
  }
}

async function endAll(cleanup: Cleanup): Promise<void> {
  for (const end of cleanup.splice(0).reverse()) await end()
}

async function buildWorld(options: WorldOptions, cleanup: Cleanup): Promise<World> {
  const count = options.gateways ?? 1
  const ports = await Promise.all(Array.from({ length: count }, freePort))
  const origin = options.scheme === 'http' ? `http://127.0.0.1:${ports[0]}` : 'https://app.example.test'
  const placed = await place(options.placement ?? 'alone', origin, ports[0] ?? 0)
  cleanup.push(placed.stop)
  const { basePath } = placed
  const baseUrl = new URL(`${origin}${basePath}`)
  const redis = await startRedis({ conf: options.redisConf ?? {} })
  const watch = await watchRedis(redis.port)
  cleanup.push(redis.stop, watch.stop)
  const redisClient = redis.client()
  const provider = await startTestProvider({
    baseUrl: `${origin}${basePath}`,
    backchannelLogoutUrl: placed.backchannelLogoutUrl,
    ...options.provider,
  })
  cleanup.push(provider.stop)
  const api = await startTestApi({
    issuer: provider.issuer,
    audience: apiAudience,
    jwksUri: `${provider.issuer}.well-known/jwks.json`,
  })
  cleanup.push(api.stop)
  if (options.providerUp === false) await provider.gate.down()
  const settings = {
    ISSUER_URL: provider.issuer,
    CLIENT_ID: testClient.id,
    CLIENT_SECRET: testClient.secret,
    API_AUDIENCE: apiAudience,
    API_URL: api.url,
    ...placed.settings,
    SCOPE: 'openid profile email offline_access read:orders',
    SESSION_SECRET: sessionSecret,
    REDIS_URL: redis.url,
    SESSION_STORE: 'redis',
    SPA_DIR: spaFolder,
    // The scan shall see everything that could ever be logged.
    LOG_LEVEL: 'trace',
    LOG_FORMAT: 'json',
    DRAIN_DELAY: '0',
    ...options.settings,
  }
  const secrets = new Set(settings.SESSION_SECRET.split(','))
  const current = await startAll(
    ports.map((port) => ({ ...settings, PORT: `${port}` })),
    cleanup,
  )
  if (options.providerUp !== false) await Promise.all(current.map((gateway) => gateway.ready()))
  const gateways = [...current]
  const browsers: Browser[] = []
  let turn = 0

  const world: World = {
    provider,
    api,
    redis,
    baseUrl,
    backchannelLogoutUrl: placed.backchannelLogoutUrl,
    at: (path) => `${basePath}${path}`,
    gateways,
    browsers,
    collected: new Map(),
    get secrets() {
      return [...secrets]
    },
    sessionCookieName:
      baseUrl.protocol === 'https:'
        ? `__Host-Http-coatcheck${placed.cookieSuffix}`
        : `coatcheck-${baseUrl.port}`,
    redisContent: watch.content,
    async restartRedis() {
      await redis.restart()
      await watch.rewatch()
    },
    browser({ via = 0 } = {}) {
      const route = (url: URL) => {
        if (url.origin !== baseUrl.origin) return undefined
        turn += 1
        const port = ports[(via === 'in turn' ? turn : via) % ports.length]
        return { host: '127.0.0.1', port: port ?? 0 }
      }
      const browser = createBrowser({ baseUrl, route })
      browsers.push(browser)
      return browser
    },
    async signIn(browser = world.browser(), loginHint) {
      const tab = browser.tab()
      const hint = loginHint === undefined ? '' : `&login_hint=${encodeURIComponent(loginHint)}`
      const { answer } = await tab.open(`/login?returnTo=${world.at('/welcome')}${hint}`)
      const arrived = answer.url.origin === baseUrl.origin && answer.url.pathname === world.at('/welcome')
      if (!arrived || world.sessionCookie(browser) === undefined) {
        const log = gateways.map((gateway) => gateway.output().split('\n').slice(-8).join('\n'))
        throw new Error(
          `the sign-in ended at ${answer.url.pathname} with ${answer.status}:\n${log.join('\n')}`,
        )
      }
      return tab
    },
    async signInExpired(howMany, how) {
      provider.knobs.accessTokenTtlSeconds = shortTtlSeconds
      const signedIn: Browser[] = []
      while (signedIn.length < howMany) {
        const browser = world.browser(how)
        await world.signIn(browser)
        signedIn.push(browser)
      }
      provider.knobs.accessTokenTtlSeconds = longTtlSeconds
      await sleep(shortTtlSeconds * 1_000 + 200)
      return signedIn
    },
    sameSession(browser, how) {
      const other = world.browser(how)
      const secure = baseUrl.protocol === 'https:' ? '; Secure' : ''
      other.cookies.plant(
        baseUrl,
        `${world.sessionCookieName}=${world.sessionCookie(browser)}; Path=/; HttpOnly; SameSite=Strict${secure}`,
      )
      return other
    },
    sessionCookie: (browser) => browser.cookies.get(baseUrl, world.sessionCookieName),
    async replaceGateway(index, changes = {}) {
      await current[index]?.stop()
      const next = { ...settings, ...changes, PORT: `${ports[index]}` }
      for (const secret of next.SESSION_SECRET.split(',')) secrets.add(secret)
      const gateway = await startGatewayProcess(next)
      current[index] = gateway
      gateways.push(gateway)
      return gateway
    },
    sessionKeys: () => redisClient.keys('coatcheck:session:*'),
    async stop() {
      await endAll(cleanup)
      failOnLeaks(world)
      failOnStrangeAuditLines(world)
    },
  }
  return world
}

/** Starts gateways side by side; when one fails, the others are still known to the clean-up. */
async function startAll(
  environments: readonly (Readonly<Record<string, string>> & { readonly PORT: string })[],
  cleanup: Cleanup,
): Promise<GatewayProcess[]> {
  const current: GatewayProcess[] = []
  cleanup.push(() => Promise.all(current.map((gateway) => gateway.stop())))
  const starts = await Promise.allSettled(environments.map(startGatewayProcess))
  for (const start of starts) {
    if (start.status === 'fulfilled') current.push(start.value)
  }
  for (const start of starts) {
    if (start.status === 'rejected') throw start.reason
  }
  return current
}

/** The schema of audit events is a promise. */
function failOnStrangeAuditLines({ gateways }: World): void {
  const strange = gateways.flatMap(strangeAuditLines)
  if (strange.length > 0) throw new Error(`audit events that are not documented:\n${strange.join('\n')}`)
}

function failOnLeaks(world: World): void {
  const leaks = scanWorld(world).leaks()
  if (leaks.length === 0) return
  const lines = leaks.map(({ surface, kind, form, at }) => `${kind} (${form}) at byte ${at} of ${surface}`)
  throw new Error(`secrets where they must not be:\n${lines.join('\n')}`)
}
