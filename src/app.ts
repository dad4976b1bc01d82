import Fastify, { type FastifyInstance } from 'fastify'
import { accessDocuments } from './access/documents.ts'
import { createAccessParts } from './access/parts.ts'
import type { Config } from './config/load-config.ts'
import { usesRedis } from './config/settings/rules.ts'
import { registerFetchScope } from './http/account/fetch-scope.ts'
import { createFrameworkErrorHandler, installErrorHandling } from './http/answers/error-handler.ts'
import { registerDeviceScope } from './http/device/device-scope.ts'
import { registerHealthRoutes } from './http/health/health-routes.ts'
import { type CheckReadiness, createReadiness } from './http/health/readiness.ts'
import { registerHelperRoute } from './http/helper/helper-route.ts'
import { registerClientKeys } from './http/keys/client-keys.ts'
import { registerPublicDocuments } from './http/keys/public-documents.ts'
import { closeWithin } from './http/lifetime/closing.ts'
import { ownLives } from './http/lifetime/listener.ts'
import { createLimits, noLimits } from './http/limits/limits.ts'
import { installOverloadProtection } from './http/limits/overload.ts'
import { registerNavigationScope } from './http/login/navigation-scope.ts'
import { registerProviderScope } from './http/logout/provider-scope.ts'
import { type Admin, createAdmin } from './http/server/admin.ts'
import { createHttpContext, type HttpContext } from './http/server/http-context.ts'
import { installLoopbackRedirect } from './http/server/loopback-redirect.ts'
import { registerMethodGuards } from './http/server/method-guards.ts'
import { installRequestCheck } from './http/server/request-form.ts'
import { createOutcomeWatch, installRequestLog, routeLabels } from './http/server/request-log.ts'
import { createListenerServer, createServerOptions } from './http/server/server-options.ts'
import { installSecurityHeaders } from './http/server/transport-headers.ts'
import { createSpaFallback, registerSpaFiles } from './http/spa/spa-files.ts'
import { createProvider } from './oidc/provider/create-provider.ts'
import type { Provider } from './oidc/provider/provider.ts'
import { knowAllMethods, registerProxyScope } from './proxy/routes/proxy-routes.ts'
import { createSealer } from './sealing/sealer.ts'
import { createSessions } from './session/lifecycle/create-sessions.ts'
import type { AccessTokens } from './session/lifecycle/sessions.ts'
import { createSessionRecords } from './session/record/records.ts'
import { createReferences } from './session/record/references.ts'
import { createAccessTokens } from './session/refresh/access-token.ts'
import type { SessionStore } from './session/store/contract.ts'
import { createMemoryStore } from './session/store/memory/store.ts'
import { createRedisStore } from './session/store/redis/store.ts'
import { createTelemetry } from './telemetry/create-telemetry.ts'
import type { Telemetry } from './telemetry/telemetry.ts'

export { loadConfig } from './config/load-config.ts'

/** What a gateway is made from besides its configuration; each part has a default. */
export interface Dependencies {
  readonly telemetry: Telemetry
  readonly store: SessionStore
  readonly provider: Provider
  /** The clock, epoch milliseconds. */
  readonly now: () => number
}

/** A ready gateway: a Fastify instance that is still to listen. */
export type Gateway = FastifyInstance & {
  /** Makes `/readyz` fail, and each answer the last on its connection, while everything else goes on. */
  readonly beginDraining: () => void
  /** What `/readyz` answers. */
  readonly checkReadiness: CheckReadiness
}

/**
 * Puts a gateway together. It waits for nothing that can recover: provider and Redis may be down. With `adminPort` set it opens that
 * listener at once, because a port that is taken must stop the start.
 *
 * @param config from `loadConfig`
 * @param given parts to use instead of the usual ones
 * @throws the listen error of Node when the admin address cannot be listened on
 */
export async function createGateway(config: Config, given: Partial<Dependencies> = {}): Promise<Gateway> {
  const services = createServices(config, given, given.telemetry ?? (await createTelemetry(config)))
  const { context, accessTokens, telemetry } = services
  const outcomes = createOutcomeWatch(telemetry, labelsOf(config, context))
  const server = createListenerServer(config)
  const app: FastifyInstance = Fastify({
    ...createServerOptions(config, telemetry.log),
    serverFactory: () => server,
    frameworkErrors: createFrameworkErrorHandler({ ...context, outcomes }),
  })
  const listener = ownLives(server, app.routing)
  closeWithin(app, listener, config.shutdownGrace * 1_000)
  const checkReadiness = createReadiness({ ...context, isDraining: () => listener.isDraining() })
  const admin = registerAdmin(app, telemetry, checkReadiness)
  installRequestLog(app, outcomes, telemetry.tracing)
  installSecurityHeaders(app, context.transportHeaders)
  installOverloadProtection(app, context)
  installRequestCheck(app)
  installLoopbackRedirect(app, config.baseUrl)
  await installAnswers(app, config, context)
  knowAllMethods(app)
  registerHelperRoute(app, context.paths.client, { spaDir: config.spaDir, log: telemetry.log })
  registerMethodGuards(app, context)
  registerHealthRoutes(app, context.paths, checkReadiness)
  registerClientKeys(app, context)
  registerNavigationScope(app, context)
  registerFetchScope(app, context)
  registerProviderScope(app, context)
  registerDeviceScope(app, context)
  registerPublicDocuments(app, accessDocuments(config))
  registerProxyScope(app, config, {
    ...context,
    ...createAccessParts(config, context),
    accessTokens,
    csrf: context.csrfPolicy,
    loginUrl: context.paths.login,
    device: context.device?.guard,
  })
  closeWith(app, services)
  telemetry.metrics.openConnections(async () => listener.connections.size)
  const gateway = Object.assign(app, { beginDraining: () => listener.beginDraining(), checkReadiness })
  await gateway.ready()
  await listenForAdmin(gateway, admin, config)
  return gateway
}

function labelsOf({ routes }: Config, { paths }: HttpContext): ReadonlyMap<string, string> {
  return routeLabels(
    paths,
    routes.map(({ prefix }) => prefix),
  )
}

/** Run once no request is under way any more. */
function closeWith(app: FastifyInstance, { context, accessTokens, store, telemetry }: Services): void {
  app.addHook('onClose', async () => {
    await Promise.all([accessTokens.drained(), context.sessions.drained()])
    await Promise.all([context.provider.close(), store.close(), telemetry.tracing?.close()])
  })
}

/** Registered before all else it closes last, so that probes and scrapes see the whole shutdown. */
function registerAdmin(
  app: FastifyInstance,
  { log, exposition }: Telemetry,
  readiness: CheckReadiness,
): Admin {
  const source = { metrics: async () => exposition?.text() ?? '', isLive: async () => true, readiness }
  const admin = createAdmin(source, log)
  app.addHook('onClose', () => admin.close())
  return admin
}

async function listenForAdmin(gateway: Gateway, admin: Admin, config: Config): Promise<void> {
  const { adminPort, adminHost } = config
  if (adminPort === undefined) return
  try {
    await admin.listen({ adminPort, adminHost })
  } catch (error) {
    await gateway.close()
    throw error
  }
}

interface Services {
  readonly context: HttpContext
  readonly accessTokens: AccessTokens
  readonly store: SessionStore
  readonly telemetry: Telemetry
}

function createServices(config: Config, given: Partial<Dependencies>, telemetry: Telemetry): Services {
  const now = given.now ?? Date.now
  const store = given.store ?? createStore(config, telemetry, now)
  const sealer = createSealer(config.sessionSecret)
  const provider =
    given.provider ??
    createProvider(
      { ...config, userClaims: config.identityClaims },
      { telemetry, now, userRef: createReferences(sealer).user },
    )
  const records = createSessionRecords(config, { store, sealer, telemetry, now })
  const sessions = createSessions({ records, store, sealer, provider, now })
  const accessTokens = createAccessTokens(config, { records, store, provider, telemetry, now })
  const limits = config.rateLimit
    ? createLimits({ ...config, store, sessions, log: telemetry.log, now })
    : noLimits
  const services = { sessions, accessTokens, provider, store, limits, telemetry, sealer, now }
  return { context: createHttpContext(config, services), accessTokens, store, telemetry }
}

function createStore(config: Config, telemetry: Telemetry, now: () => number): SessionStore {
  if (usesRedis(config)) return createRedisStore(config, { telemetry })
  telemetry.log.warn(
    'sessions live in this process: they are lost at a restart, and only one process can run',
  )
  return createMemoryStore(config, { now })
}

/** Error handling comes first: a scope inherits the handlers that its parent has when it is loaded. */
async function installAnswers(app: FastifyInstance, config: Config, context: HttpContext): Promise<void> {
  const { reservedPaths } = context.returnToRules
  if (config.spaDir === undefined) {
    installErrorHandling(app, context)
    return
  }
  const { spaDir, spaCsp, basePath } = config
  const options = { spaDir, spaCsp, basePath, reservedPaths }
  installErrorHandling(app, context, createSpaFallback(options))
  await registerSpaFiles(app, options)
}
