import type { FastifyInstance } from 'fastify'
import { registerFetchScope } from '../../../src/http/account/fetch-scope.ts'
import { createFrameworkErrorHandler, installErrorHandling } from '../../../src/http/answers/error-handler.ts'
import { registerHealthRoutes } from '../../../src/http/health/health-routes.ts'
import { createReadiness } from '../../../src/http/health/readiness.ts'
import { registerHelperRoute } from '../../../src/http/helper/helper-route.ts'
import { registerClientKeys } from '../../../src/http/keys/client-keys.ts'
import { type Limits, noLimits } from '../../../src/http/limits/limits.ts'
import { registerNavigationScope } from '../../../src/http/login/navigation-scope.ts'
import { registerProviderScope } from '../../../src/http/logout/provider-scope.ts'
import { createHttpContext, type HttpContext } from '../../../src/http/server/http-context.ts'
import { installLoopbackRedirect } from '../../../src/http/server/loopback-redirect.ts'
import { registerMethodGuards } from '../../../src/http/server/method-guards.ts'
import { installRequestCheck } from '../../../src/http/server/request-form.ts'
import { createRoot } from '../../../src/http/server/server.ts'
import type { HttpOptions } from '../../../src/http/server/services.ts'
import { installSecurityHeaders } from '../../../src/http/server/transport-headers.ts'
import { createSpa } from '../../../src/http/spa/spa-files.ts'
import { createSealer } from '../../../src/sealing/sealer.ts'
import type { AuditFields } from '../../../src/telemetry/audit.ts'
import type { AuditEventName } from '../../../src/telemetry/audit-events.ts'
import { silentLogger } from '../../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../../src/telemetry/measures/metrics.ts'
import { createFakeProvider, type FakeProvider } from './fake-provider.ts'
import { createFakeSessions, type FakeSessions } from './fake-sessions.ts'

/** A gateway's own endpoints on fakes. */
export interface TestGateway {
  readonly app: FastifyInstance
  readonly context: HttpContext
  readonly sessions: FakeSessions
  readonly provider: FakeProvider
  readonly audited: (AuditFields & { readonly name: AuditEventName })[]
  readonly store: { ready: boolean; answers: boolean }
  readonly process: { isDraining: boolean }
  readonly refreshes: string[]
  /** Thrown by a refresh that the page asks for. */
  refreshFailure: Error | undefined
}

/** What a test may choose. */
export interface TestGatewayOptions extends Partial<HttpOptions> {
  readonly spaDir?: string
  readonly spaCsp?: string
  readonly spaImmutable?: readonly string[]
  readonly spaBackForwardCache?: boolean
  readonly limits?: Limits
}

/** A same-origin fetch, as browsers with Fetch metadata send it. */
export const fetchHeaders = {
  'sec-fetch-site': 'same-origin',
  'sec-fetch-mode': 'cors',
  'sec-fetch-dest': 'empty',
}

/** A navigation that the user began. */
export const navigationHeaders = {
  'sec-fetch-site': 'none',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
  accept: 'text/html,application/xhtml+xml',
}

/** The session cookie of the tests' https origin. */
export const sessionCookie = '__Host-Http-coatcheck'

const defaults: HttpOptions = {
  baseUrl: new URL('https://app.example.com'),
  hsts: 'max-age=31536000',
  authPrefix: '',
  basePath: '',
  cookieWord: 'coatcheck',
  clientId: 'client-1',
  sessionCookiePersistent: false,
  sessionMaxLifetime: 36_000,
  sessionIdleTimeout: 1_800,
  csrfHeader: 'auto',
  loginParameters: ['acr_values', 'max_age', 'login_hint'],
  authorizationParameters: {},
  userClaims: ['sub', 'name', 'email', 'picture'],
  audience: {
    key: 'api',
    value: 'https://api.example.com',
    parameter: 'audience',
    accepted: [],
    scope: undefined,
  },
  routes: [{ prefix: '/api' }],
  deviceBinding: 'off',
  deviceBindingLifetime: 600,
}

/** Builds the endpoints in the order in which the gateway registers them. Close `app` afterwards. */
export async function buildGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const sessions = createFakeSessions()
  const now = () => sessions.clock.nowMs
  const provider = createFakeProvider(now)
  const audited: TestGateway['audited'] = []
  const store = { ready: true, answers: true }
  const process = { isDraining: false }
  const refreshes: string[] = []
  const gateway = {
    sessions,
    provider,
    audited,
    store,
    process,
    refreshes,
    refreshFailure: undefined as Error | undefined,
  }
  const log = silentLogger()
  const context = createHttpContext(
    { ...defaults, ...options },
    {
      sessions: sessions.sessions,
      accessTokens: {
        refreshIfDue: async (id) => {
          refreshes.push(id)
          if (gateway.refreshFailure !== undefined) throw gateway.refreshFailure
        },
        update: async (session) => session,
      },
      provider: provider.provider,
      store: {
        markDevice: async () => true,
        aheadMs: () => 0,
        ping: async () => {
          if (!store.answers) throw new Error('the store is gone')
        },
        status: () => ({
          ready: store.ready,
          reason: store.ready ? undefined : 'the store does not answer',
          note: undefined,
        }),
      },
      limits: options.limits ?? noLimits,
      telemetry: {
        log,
        audit: { event: (name, fields) => audited.push({ name, ...fields }) },
        metrics: noMetrics,
      },
      sealer: createSealer(['a-secret-that-is-long-enough-for-tests']),
      now,
    },
  )
  const frameworkErrors = createFrameworkErrorHandler({ ...context, outcomes: undefined })
  const app = createRoot({ trustProxy: [] }, log, { frameworkErrors })
  const { spaDir = '', spaCsp, spaImmutable, spaBackForwardCache = false } = options
  const spa = createSpa({ ...context.returnToRules, spaDir, spaCsp, spaImmutable, spaBackForwardCache })
  installSecurityHeaders(app, context.transportHeaders)
  installRequestCheck(app)
  installLoopbackRedirect(app, context.options.baseUrl)
  installErrorHandling(app, context, options.spaDir === undefined ? undefined : spa.showApp)
  registerClientKeys(app, context)
  registerNavigationScope(app, context)
  registerFetchScope(app, context)
  registerProviderScope(app, context)
  registerHealthRoutes(
    app,
    context.paths,
    createReadiness({ ...context, isDraining: () => process.isDraining }),
  )
  registerHelperRoute(app, context.paths.client, {
    spaDir: options.spaDir,
    basePath: context.options.basePath,
    log,
  })
  registerMethodGuards(app, context)
  if (options.spaDir !== undefined) await spa.register(app)
  await app.ready()
  return Object.assign(gateway, { app, context })
}
