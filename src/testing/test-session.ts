import { ConfigError } from '../config/config-error.ts'
import type { Environment } from '../config/environment.ts'
import { type Config, loadConfig } from '../config/load-config.ts'
import { isLoopback } from '../config/settings/kinds/address.ts'
import { usesRedis } from '../config/settings/rules.ts'
import { createCookies } from '../http/cookies/cookies.ts'
import { providerHints } from '../oidc/provider/profiles/hints.ts'
import type { CompletedLogin } from '../oidc/provider/provider.ts'
import type { AccessToken } from '../oidc/tokens/token-set.ts'
import { accessTokenFault, isBearerToken, readAccessToken } from '../oidc/verification/access-token-check.ts'
import { createSealer } from '../sealing/sealer.ts'
import { createBegin } from '../session/lifecycle/begin.ts'
import { newSessionId } from '../session/record/keys.ts'
import { createSessionRecords } from '../session/record/records.ts'
import type { SessionStore } from '../session/store/contract.ts'
import { becomesReady } from '../session/store/ready.ts'
import { createRedisStore } from '../session/store/redis/store.ts'
import { silentLogger } from '../telemetry/logs/logger.ts'
import { noMetrics } from '../telemetry/measures/metrics.ts'
import { TestKitError } from './test-kit-error.ts'
import type { TestUser } from './test-user.ts'

/** Must be `on` for anybody to make sessions without signing in. No setting of the gateway: it knows nothing of this. */
const flag = 'COATCHECK_TESTING'
const connectWithinMs = 5_000
/** Life of a token that does not say it itself, seconds. */
const defaultLifeSeconds = 3_600

/** Options of {@link createTestSession}. */
export interface TestSessionOptions {
  /** The settings of the gateway under test, and `COATCHECK_TESTING=on`: usually `process.env`. */
  readonly env: Environment
  readonly user: TestUser
  /** What the API shall receive: a token that it accepts. It is checked as at a login. */
  readonly accessToken: string
  /** The provider's session (`sid`), for tests of back-channel logout. */
  readonly providerSessionId?: string
}

/** A session, as a browser or an HTTP client carries it. */
export interface TestSession {
  /** For Playwright's `context.addCookies([session.cookie])`; other browser drivers take the same. */
  readonly cookie: {
    readonly name: string
    readonly value: string
    readonly domain: string
    readonly path: string
    readonly httpOnly: boolean
    readonly secure: boolean
    readonly sameSite: 'Strict'
  }
  /** For `fetch` and other HTTP clients: the cookie, and the header in the place of what only browsers send. */
  readonly headers: { readonly cookie: string; readonly 'x-csrf': '1' }
  /** It ends with its access token, or as the settings say. */
  readonly expiresAt: Date
}

/**
 * Creates a session for a test user in the Redis of a gateway on loopback: a real one, which every node takes for one from a login. It
 * has no refresh token, so it ends with its access token.
 *
 * @throws TestKitError when the gateway is no test gateway, the token would be refused, or Redis does not answer
 */
export async function createTestSession(options: TestSessionOptions): Promise<TestSession> {
  const config = readConfig(options.env)
  const login = pretendLogin(config, options, Date.now())
  const store = createRedisStore(config, { telemetry })
  try {
    if (!(await becomesReady(store, connectWithinMs)))
      throw new TestKitError(store.status().reason ?? 'Redis does not answer.')
    return await begin(config, store, login)
  } finally {
    await store.close()
  }
}

const telemetry = { log: silentLogger(), metrics: noMetrics }

function readConfig(env: Environment): Config {
  const isOn = /^(on|true|yes|1)$/i.test(env[flag]?.trim() ?? '')
  if (!isOn) throw new TestKitError(`Sessions without a sign-in are for tests only: set ${flag}=on there.`)
  const config = load(env)
  if (!isLoopback(config.baseUrl))
    throw new TestKitError('BASE_URL is not on loopback, so this is no gateway under test.')
  if (!usesRedis(config))
    throw new TestKitError(
      'Without Redis the sessions live in the memory of the gateway, where nobody else can add one. Set REDIS_URL here and there, or sign in through the provider of the test kit.',
    )
  return config
}

function load(env: Environment): Config {
  try {
    return loadConfig(env)
  } catch (error) {
    if (error instanceof ConfigError)
      throw new TestKitError(`The settings are those of no gateway:\n${error.message}`)
    throw error
  }
}

/** What the provider would have answered. */
function pretendLogin(config: Config, options: TestSessionOptions, nowMs: number): CompletedLogin {
  const { user, providerSessionId } = options
  if (typeof user.sub !== 'string' || user.sub === '') throw new TestKitError('The user has no sub.')
  const shown = config.userClaims.filter((name) => user[name] !== undefined)
  return {
    identity: {
      issuer: config.issuerUrl,
      subject: user.sub,
      providerSessionId,
      loginIssuedAtSeconds: Math.floor(nowMs / 1_000),
      authTimeSeconds: Math.floor(nowMs / 1_000),
      acr: undefined,
      claims: Object.fromEntries(shown.map((name) => [name, user[name]])),
    },
    // There was none. At a logout the provider gets no hint, and ends no session, because it has none.
    idToken: '',
    refreshToken: undefined,
    accessToken: readToken(config, options.accessToken, nowMs),
    sessionExpirySeconds: undefined,
  }
}

function readToken(config: Config, value: string, nowMs: number): AccessToken {
  if (!isBearerToken(value)) throw new TestKitError('The access token cannot stand behind "Bearer".')
  const facts = readAccessToken(value)
  const { accessTokenFormat: format, audience, clientId } = config
  const hints = providerHints(config.issuerUrl, undefined)
  const fault = accessTokenFault(facts, { format, audience, clientId, hints })
  if (fault !== undefined) throw new TestKitError(fault.explanation)
  const expiresAtMs = (facts.expiresAtSeconds ?? nowMs / 1_000 + defaultLifeSeconds) * 1_000
  if (expiresAtMs <= nowMs) throw new TestKitError('The access token has expired.')
  return { value, obtainedAtMs: nowMs, expiresAtMs }
}

async function begin(config: Config, store: SessionStore, login: CompletedLogin): Promise<TestSession> {
  const sealer = createSealer(config.sessionSecret)
  const options = { ...config, sessionCache: false }
  const records = createSessionRecords(options, { store, sealer, telemetry, now: Date.now })
  const provider = { revoke: async () => true }
  const { begin: beginSession } = createBegin({ records, store, provider, now: Date.now })
  const id = newSessionId()
  const begun = await beginSession({
    id,
    login,
    audienceKey: config.audience.key,
    browserFamily: 'Test',
    // Whatever was logged out until now is over; this login comes after it.
    redeemedAtMs: Number.POSITIVE_INFINITY,
  })
  if (begun.kind !== 'begun') throw new TestKitError('This session of the provider was signed out just now.')
  return describeSession(config, id, begun.session.view.endsAtMs)
}

function describeSession(config: Config, id: string, endsAtMs: number): TestSession {
  const { sessionName } = createCookies(config)
  const { hostname, protocol } = config.baseUrl
  return {
    cookie: {
      name: sessionName,
      value: id,
      domain: hostname,
      path: '/',
      httpOnly: true,
      secure: protocol === 'https:',
      sameSite: 'Strict',
    },
    headers: { cookie: `${sessionName}=${id}`, 'x-csrf': '1' },
    expiresAt: new Date(endsAtMs),
  }
}
