import type { Server } from 'node:http'
import Fastify, { type FastifyInstance } from 'fastify'
import { accessDocuments } from './access/documents.ts'
import { createGatewayKeys } from './access/gateway-keys.ts'
import { createAccessServices } from './access/parts.ts'
import { attachChecks } from './check/attached-checks.ts'
import { type Check, createCheck } from './check/check.ts'
import { type GatewayCookieNames, gatewayCookieNames } from './config/cookie-names.ts'
import type { Config } from './config/load-config.ts'
import { isProxied } from './config/routes/route.ts'
import { registerFetchScope } from './http/account/fetch-scope.ts'
import { createFrameworkErrorHandler } from './http/answers/error-handler.ts'
import { registerDeviceScope } from './http/device/device-scope.ts'
import { registerHealthRoutes } from './http/health/health-routes.ts'
import { type CheckReadiness, createReadiness } from './http/health/readiness.ts'
import { registerHelperRoute } from './http/helper/helper-route.ts'
import { registerClientKeys } from './http/keys/client-keys.ts'
import { registerPublicDocuments } from './http/keys/public-documents.ts'
import { closeWithin } from './http/lifetime/closing.ts'
import { ownLives, type Route } from './http/lifetime/listener.ts'
import { createLimits, noLimits } from './http/limits/limits.ts'
import { installOverloadProtection, type Shedder, watchEventLoop } from './http/limits/overload.ts'
import { registerNavigationScope } from './http/login/navigation-scope.ts'
import { registerProviderScope } from './http/logout/provider-scope.ts'
import { attachAdmin, listenForAdmin } from './http/server/attached-admin.ts'
import { createHttpContext, type HttpContext } from './http/server/http-context.ts'
import { installLoopbackRedirect } from './http/server/loopback-redirect.ts'
import { registerMethodGuards } from './http/server/method-guards.ts'
import { installRequestCheck } from './http/server/request-form.ts'
import {
  createOutcomeWatch,
  createUnroutedReport,
  installRequestLog,
  routeLabels,
} from './http/server/request-log.ts'
import { createListenerServer, createServerOptions } from './http/server/server-options.ts'
import { installSecurityHeaders } from './http/server/transport-headers.ts'
import { installSpa } from './http/spa/install-spa.ts'
import {
  type ClientCertificates,
  createClientCertificates,
} from './oidc/client-authentication/client-certificate.ts'
import { createProvider } from './oidc/provider/create-provider.ts'
import type { Provider } from './oidc/provider/provider.ts'
import { createProcessNames, type ProcessNames, type ReservedNames } from './proxy/headers/reserved-names.ts'
import { knowAllMethods, type ProxyHandle, registerProxyScope } from './proxy/routes/proxy-routes.ts'
import { createSealer } from './sealing/sealer.ts'
import type { CacheRoom } from './session/lifecycle/cache.ts'
import { createSessions } from './session/lifecycle/create-sessions.ts'
import type { AccessTokens } from './session/lifecycle/sessions.ts'
import { createSessionRecords } from './session/record/records.ts'
import { createReferences } from './session/record/references.ts'
import { createAccessTokens } from './session/refresh/access-token.ts'
import type { SessionStore } from './session/store/contract.ts'
import { createStore } from './session/store/create-store.ts'
import { createNonceMemory, type NonceMemory } from './signing/nonces.ts'
import { createTelemetry } from './telemetry/create-telemetry.ts'
import { telemetryOfFrontend } from './telemetry/frontend-telemetry.ts'
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

/** What a process shares out to its frontends. */
export interface SharedParts {
  /** What servers want to see in proofs of possession. */
  readonly nonces: NonceMemory
  /** The process's; each frontend reports under its name. */
  readonly telemetry: Telemetry
  readonly store: SessionStore
  readonly cacheRoom: CacheRoom
  readonly cookieNames: GatewayCookieNames
  /** Headers that routes of any frontend write. */
  readonly headerNames: ProcessNames
  readonly shedder: Pick<Shedder, 'share'>
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
  const { shedder, stop } = watchEventLoop(telemetry.log)
  const server = createListenerServer(config)
  const app = createRoot(config, services, () => server)
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
  const gateway = Object.assign(app, { beginDraining, checkReadiness })
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
  const app = createRoot(config, services)
  installOverloadProtection(app, { ...services.context, shedder: shared.shedder })
  const { proxy, check } = await furnish(app, config, services, shared.shedder)
  closeWith(app, services)
  await app.ready()
  return {
    routing: app.routing,
    check,
    providerStatus: () => services.context.provider.status(),
    drainStreams: () => proxy.drain(),
    close: () => app.close(),
  }
}

/** The framework's root, with what is looked at before a request is routed. */
function createRoot(
  config: Config,
  { context, telemetry }: Services,
  serverFactory?: () => Server,
): FastifyInstance {
  const outcomes = createOutcomeWatch(telemetry, labelsOf(config, context))
  const app: FastifyInstance = Fastify({
    ...createServerOptions(config, telemetry.log),
    ...(serverFactory === undefined ? {} : { serverFactory }),
    frameworkErrors: createFrameworkErrorHandler({ ...context, outcomes }),
  })
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

interface Services {
  readonly context: HttpContext
  readonly accessTokens: AccessTokens
  readonly store: SessionStore
  readonly nonces: NonceMemory
  readonly certificates: ClientCertificates | undefined
  readonly headerNames: ReservedNames
  readonly telemetry: Telemetry
}

type GivenParts = Partial<Dependencies> &
  Partial<Pick<SharedParts, 'cacheRoom' | 'cookieNames' | 'headerNames' | 'nonces'>>

function createServices(config: Config, given: GivenParts, telemetry: Telemetry): Services {
  const now = given.now ?? Date.now
  const store = given.store ?? createStore(config, telemetry, now)
  const { cacheRoom, cookieNames, headerNames = createProcessNames(), nonces = createNonceMemory() } = given
  const sealer = createSealer(config.sessionSecret, config.frontend)
  const certificates = createClientCertificates(config, telemetry.log)
  const provider =
    given.provider ??
    createProvider(
      { ...config, userClaims: config.identityClaims },
      { telemetry, now, nonces, certificates, userRef: createReferences(sealer).user },
    )
  const records = createSessionRecords(config, {
    store,
    sealer,
    telemetry,
    now,
    ...(cacheRoom === undefined ? {} : { cacheRoom }),
  })
  const sessions = createSessions({ records, store, sealer, provider, now })
  const accessTokens = createAccessTokens(config, { records, store, provider, telemetry, now })
  const limits = config.rateLimit
    ? createLimits({ ...config, store, sessions, log: telemetry.log, now })
    : noLimits
  const names = cookieNames ?? gatewayCookieNames([config.cookieWord])
  const made = { sessions, accessTokens, provider, store, limits, telemetry, sealer, now }
  const services = { ...made, cookieNames: names }
  return {
    context: createHttpContext(config, services),
    accessTokens,
    store,
    nonces,
    certificates,
    headerNames,
    telemetry,
  }
}
