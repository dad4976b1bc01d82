import Fastify, { type FastifyInstance } from 'fastify'
import type { Config } from './config/load-config.ts'
import { usesRedis } from './config/rules.ts'
import { createFrameworkErrorHandler, installErrorHandling } from './http/error-handler.ts'
import { registerFetchScope } from './http/fetch-scope.ts'
import { registerHealthRoutes } from './http/health-routes.ts'
import { createHttpContext, type HttpContext } from './http/http-context.ts'
import { installLoopbackRedirect } from './http/loopback-redirect.ts'
import { registerMethodGuards } from './http/method-guards.ts'
import { registerNavigationScope } from './http/navigation-scope.ts'
import { registerProviderScope } from './http/provider-scope.ts'
import { installRequestLog } from './http/request-log.ts'
import { installTargetCheck } from './http/request-target.ts'
import { createServerOptions } from './http/server-options.ts'
import { createSpaFallback, registerSpaFiles } from './http/spa-files.ts'
import { installSecurityHeaders } from './http/transport-headers.ts'
import { createProvider } from './oidc/create-provider.ts'
import type { Provider } from './oidc/provider.ts'
import { registerProxyScope } from './proxy/proxy-routes.ts'
import { installUpgrades } from './proxy/upgrade.ts'
import { createSealer } from './sealing/sealer.ts'
import { createAccessTokens } from './session/access-token.ts'
import { createSessions } from './session/create-sessions.ts'
import { createMemoryStore } from './session/memory-store.ts'
import { createSessionRecords } from './session/records.ts'
import { createRedisStore } from './session/redis-store.ts'
import type { AccessTokens } from './session/sessions.ts'
import type { SessionStore } from './session/store.ts'
import { createAudit } from './telemetry/audit.ts'
import { createLogger } from './telemetry/logger.ts'
import { noMetrics } from './telemetry/metrics.ts'
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
  /** Makes `/readyz` fail while everything else goes on. */
  readonly beginDraining: () => void
}

/**
 * Puts a gateway together. It waits for nothing that can recover: provider and Redis may be down.
 *
 * @param config from `loadConfig`
 * @param given parts to use instead of the usual ones
 */
export async function createGateway(config: Config, given: Partial<Dependencies> = {}): Promise<Gateway> {
  const services = createServices(config, given)
  const { context, accessTokens, telemetry } = services
  const app: FastifyInstance = Fastify({
    ...createServerOptions(config, telemetry.log),
    frameworkErrors: createFrameworkErrorHandler(context),
  })
  let isDraining = false
  const beginDraining = (): void => {
    isDraining = true
  }
  installRequestLog(app, telemetry)
  installSecurityHeaders(app, context.transportHeaders)
  installTargetCheck(app)
  installLoopbackRedirect(app, config.baseUrl)
  await installAnswers(app, config, context)
  registerMethodGuards(app, context.paths)
  registerHealthRoutes(app, { ...context, isDraining: () => isDraining })
  registerNavigationScope(app, context)
  registerFetchScope(app, context)
  registerProviderScope(app, context)
  registerProxyScope(app, config, { ...context, accessTokens, csrf: context.csrfPolicy })
  installUpgrades(app)
  app.addHook('onClose', async () => {
    await accessTokens.drained()
    await Promise.all([services.context.provider.close(), services.store.close()])
  })
  const gateway = Object.assign(app, { beginDraining })
  await gateway.ready()
  return gateway
}

interface Services {
  readonly context: HttpContext
  readonly accessTokens: AccessTokens
  readonly store: SessionStore
  readonly telemetry: Telemetry
}

function createServices(config: Config, given: Partial<Dependencies>): Services {
  const now = given.now ?? Date.now
  const telemetry = given.telemetry ?? createTelemetry(config)
  const store = given.store ?? createStore(config, telemetry, now)
  const provider = given.provider ?? createProvider(config, { telemetry, now })
  const sealer = createSealer(config.sessionSecret)
  const records = createSessionRecords(config, { store, sealer, telemetry, now })
  const sessions = createSessions({ records, store, sealer, provider, now })
  const accessTokens = createAccessTokens(config, { records, store, provider, telemetry, now })
  const services = { sessions, accessTokens, provider, store, telemetry, sealer, now }
  return { context: createHttpContext(config, services), accessTokens, store, telemetry }
}

function createTelemetry(config: Config): Telemetry {
  const log = createLogger(config)
  return { log, audit: createAudit(log), metrics: noMetrics }
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
  const options = { spaDir: config.spaDir, spaCsp: config.spaCsp, reservedPaths }
  installErrorHandling(app, context, createSpaFallback(options))
  await registerSpaFiles(app, options)
}
