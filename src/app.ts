import type { FastifyInstance } from 'fastify'
import { accessDocuments } from './access/documents.ts'
import { createGatewayKeys } from './access/gateway-keys.ts'
import { createAccessServices } from './access/parts.ts'
import { createServices, type Dependencies, type Services, type SharedParts } from './app/services.ts'
import { attachChecks } from './check/attached-checks.ts'
import { type Check, createCheck } from './check/check.ts'
import type { Config } from './config/load-config.ts'
import { isProxied } from './config/routes/route.ts'
import { registerFetchScope } from './http/account/fetch-scope.ts'
import { attachAdmin, listenForAdmin } from './http/admin/attached-admin.ts'
import { createFrameworkErrorHandler } from './http/answers/error-handler.ts'
import { registerDeviceScope } from './http/device/device-scope.ts'
import { registerHealthRoutes } from './http/health/health-routes.ts'
import { type CheckReadiness, createReadiness } from './http/health/readiness.ts'
import { registerHelperRoute } from './http/helper/helper-route.ts'
import { registerClientKeys } from './http/keys/client-keys.ts'
import { registerPublicDocuments } from './http/keys/public-documents.ts'
import { closeWithin } from './http/lifetime/closing.ts'
import { ownLives, type Route } from './http/lifetime/listener.ts'
import { installOverloadProtection, type Shedder, watchEventLoop } from './http/limits/overload.ts'
import { registerNavigationScope } from './http/login/navigation-scope.ts'
import { registerProviderScope } from './http/logout/provider-scope.ts'
import type { HttpContext } from './http/server/http-context.ts'
import { installLoopbackRedirect } from './http/server/loopback-redirect.ts'
import { registerMethodGuards } from './http/server/method-guards.ts'
import { installRequestCheck } from './http/server/request-form.ts'
import { createOutcomeWatch, installRequestLog, routeLabels } from './http/server/request-log.ts'
import { createListenerServer, createRoot, type RootOptions } from './http/server/server.ts'
import { installSecurityHeaders } from './http/server/transport-headers.ts'
import { createUnroutedReport } from './http/server/unrouted-log.ts'
import { installSpa } from './http/spa/install-spa.ts'
import type { Provider } from './oidc/provider/provider.ts'
import { knowAllMethods, type ProxyHandle, registerProxyScope } from './proxy/routes/proxy-routes.ts'
import { createTelemetry } from './telemetry/create-telemetry.ts'
import { telemetryOfFrontend } from './telemetry/frontend-telemetry.ts'

export type { Dependencies, SharedParts } from './app/services.ts'
export { loadConfig } from './config/load-config.ts'

/** A ready gateway: a Fastify instance that is still to listen. */
export type Gateway = FastifyInstance & {
  /** Makes `/readyz` fail, and each answer the last on its connection, while everything else goes on. */
  readonly beginDraining: () => void
  /** Resolves when no refresh is under way any more: until then its new refresh token exists nowhere else. */
  readonly refreshed: () => Promise<void>
  /** What `/readyz` answers. */
  readonly checkReadiness: CheckReadiness
}

/** A whole gateway without a listener: one of several in a process. */
export interface Frontend {
  /** Answers a request whose owner the listener has made. */
  readonly routing: Route
  /** Answers another proxy's question about a request. */
  readonly check: Check
  /** Whether its provider was found. */
  providerStatus(): ReturnType<Provider['status']>
  /** Closes WebSockets and event streams. */
  drainStreams(): Promise<void>
  /** Resolves when no refresh is under way any more. */
  refreshed(): Promise<void>
  /** To be called once no request is under way. */
  close(): Promise<void>
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
  const { context, telemetry } = services
  const { shedder, stop } = watchEventLoop(telemetry.log, given.shedder)
  const server = createListenerServer(config)
  const app = openRoot(config, services, { serverFactory: () => server })
  const listener = ownLives(server, app.routing, { report: createUnroutedReport(telemetry) })
  closeWithin(app, listener, config.shutdownGrace * 1_000)
  const checkReadiness = createReadiness({ ...context, isDraining: () => listener.isDraining() })
  const admin = attachAdmin(app, telemetry, checkReadiness)
  app.addHook('onClose', async () => stop())
  installOverloadProtection(app, { ...context, shedder })
  const { check } = await furnish(app, config, services, shedder)
  registerHealthRoutes(app, context.paths, checkReadiness)
  closeWith(app, services)
  const checks = attachChecks(app, config, telemetry, check)
  telemetry.metrics.openConnections(async () => listener.connections.size)
  const beginDraining = (): void => {
    listener.beginDraining()
    checks.beginDraining()
  }
  const refreshed = services.accessTokens.drained
  const gateway = Object.assign(app, { beginDraining, refreshed, checkReadiness })
  await gateway.ready()
  await listenForAdmin(gateway, admin, config)
  return gateway
}

/**
 * Puts one of several frontends together (DESIGN-2 section 3): the same gateway, with a share of what the process has, and without listener,
 * admin listener and probes.
 *
 * @param config of one frontend, from `loadHouse`
 */
export async function createFrontend(config: Config, shared: SharedParts): Promise<Frontend> {
  const { frontend = '' } = config
  const telemetry = telemetryOfFrontend(shared.telemetry, frontend)
  const store = shared.store.forFrontend(frontend, config)
  const services = createServices(config, { ...shared, store }, telemetry)
  const app = openRoot(config, services)
  installOverloadProtection(app, { ...services.context, shedder: shared.shedder })
  const { proxy, check } = await furnish(app, config, services, shared.shedder)
  closeWith(app, services)
  await app.ready()
  return {
    routing: app.routing,
    check,
    providerStatus: () => services.context.provider.status(),
    drainStreams: () => proxy.drain(),
    refreshed: services.accessTokens.drained,
    close: () => app.close(),
  }
}

/** The framework's root, with what is looked at before a request is routed. */
function openRoot(
  config: Config,
  { context, telemetry }: Services,
  more: Pick<RootOptions, 'serverFactory'> = {},
): FastifyInstance {
  const outcomes = createOutcomeWatch(telemetry, labelsOf(config, context))
  const frameworkErrors = createFrameworkErrorHandler({ ...context, outcomes })
  const app = createRoot(config, telemetry.log, { ...more, frameworkErrors })
  installRequestLog(app, outcomes, telemetry.tracing)
  installSecurityHeaders(app, context.transportHeaders)
  return app
}

/** Everything that a gateway answers, in the order in which it is asked. */
async function furnish(
  app: FastifyInstance,
  config: Config,
  services: Services,
  shedder: Pick<Shedder, 'share'>,
): Promise<{ readonly proxy: ProxyHandle; readonly check: Check }> {
  const { context, nonces, certificates, headerNames, telemetry } = services
  const gatewayKeys = createGatewayKeys(config, telemetry.log)
  const deciding = createAccessServices(
    config,
    { ...context, nonces, certificates, gatewayKeys },
    services.accessTokens,
  )
  installRequestCheck(app)
  installLoopbackRedirect(app, config.baseUrl)
  await installSpa(app, config, context)
  knowAllMethods(app)
  registerHelperRoute(app, context.paths.client, { ...config, log: telemetry.log })
  registerMethodGuards(app, context)
  registerClientKeys(app, context)
  registerNavigationScope(app, context)
  registerFetchScope(app, context)
  registerProviderScope(app, context)
  registerDeviceScope(app, context)
  registerPublicDocuments(app, accessDocuments(config, gatewayKeys))
  return {
    proxy: registerProxyScope(app, config, { ...deciding, reservedNames: headerNames }),
    check: createCheck(config, { ...deciding, shedder }),
  }
}

function labelsOf({ routes }: Config, { paths }: HttpContext): ReadonlyMap<string, string> {
  return routeLabels(
    paths,
    routes.filter(isProxied).map(({ prefix }) => prefix),
  )
}

/** Run once no request is under way any more. */
function closeWith(app: FastifyInstance, { context, accessTokens, store, telemetry }: Services): void {
  app.addHook('onClose', async () => {
    await Promise.all([accessTokens.drained(), context.sessions.drained()])
    await Promise.all([context.provider.close(), store.close(), telemetry.tracing?.close()])
  })
}
