import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type AccessServices, createAccess } from '../../access/decide.ts'
import { answeredMethods } from '../../access/rules.ts'
import type { RouteConfig } from '../../config/routes/route.ts'
import { inviteBody } from '../../http/lifetime/expectations.ts'
import type { SessionLimits } from '../../session/record/session.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import { Exchange } from '../exchange/exchange.ts'
import type { ExchangeContext } from '../exchange/exchange-context.ts'
import { createGuard } from '../exchange/guard.ts'
import {
  createOpenStreams,
  type OpenStreams,
  type OpenStreamsDependencies,
} from '../exchange/open-streams.ts'
import { isUpgrade } from '../websocket/upgrade.ts'
import { bridgeWebSocket, type WebSocketContext } from '../websocket/websocket.ts'
import { createProxyRoute, type ProxyOptions, type ProxyRoute, type RouteServices } from './proxy-route.ts'
import { createSpaDevRoute, type SpaDevOptions } from './spa-dev.ts'

/** What the proxy is built from. */
export interface ProxyServices extends AccessServices {
  readonly sessions: AccessServices['sessions'] & OpenStreamsDependencies['sessions']
  readonly accessTokens: AccessServices['accessTokens'] & ExchangeContext['accessTokens']
  readonly cookies: AccessServices['cookies'] & RouteServices['cookies']
  readonly telemetry: Telemetry
  readonly now: () => number
}

/** The running proxy. */
export interface ProxyHandle {
  /** Closes WebSockets and event streams: says goodbye, then cuts after 2 s. Called before the server is closed. */
  drain(): Promise<void>
}

/** What is left of requests under way when the server is closed may take this long, milliseconds. */
const closeGraceMs = 1_000

/** Registers every route, and the development server of the app when there is one, each in a scope of its own with its guard as the first hook, and the closing of what they hold. */
export function registerProxyScope(
  app: FastifyInstance,
  options: ProxyOptions & SpaDevOptions & { readonly routes: readonly RouteConfig[] },
  services: ProxyServices,
): ProxyHandle {
  const openStreams = createOpenStreams({
    sessions: services.sessions,
    metrics: services.telemetry.metrics,
    limits: limitsOf(options),
    now: services.now,
  })
  const routes = options.routes.map((config) => createProxyRoute(config, options, services))
  if (options.spaUrl !== undefined) routes.push(createSpaDevRoute(options.spaUrl, options, services))
  for (const route of routes) registerRoute(app, route, openStreams, options, services)
  app.addHook('preClose', () => openStreams.drain())
  return { drain: () => openStreams.drain() }
}

function limitsOf({ sessionIdleTimeout, sessionMaxLifetime }: ProxyOptions): SessionLimits {
  return { idleTimeoutMs: sessionIdleTimeout * 1_000, maxLifetimeMs: sessionMaxLifetime * 1_000 }
}

/** Fastify routes only methods it was told of; the others are answered 405 then instead of 404. Comes before any route. */
export function knowAllMethods(app: FastifyInstance): void {
  for (const method of answeredMethods) {
    if (!app.supportedMethods.includes(method)) app.addHttpMethod(method)
  }
}

function registerRoute(
  app: FastifyInstance,
  route: ProxyRoute,
  openStreams: OpenStreams,
  options: ProxyOptions,
  services: ProxyServices,
): void {
  const context = {
    route,
    openStreams,
    accessTokens: services.accessTokens,
    sessions: services.sessions,
    limits: limitsOf(options),
    now: services.now,
    metrics: services.telemetry.metrics,
    authPrefix: options.authPrefix,
    maxWebsocketsPerSession: options.maxWebsocketsPerSession,
  }
  app.register((scope, _options, done) => {
    scope.decorateRequest('admission', null)
    scope.removeAllContentTypeParsers()
    scope.addHook('onRequest', createGuard(createAccess(route, services)))
    scope.addHook('onClose', () => route.pool.close(closeGraceMs))
    scope.register(httpProxy, {
      prefix: route.config.prefix === '' ? '/' : route.config.prefix,
      handler: (request, reply) => forward(context, request, reply),
      httpMethods: [...answeredMethods],
      ...unusedByOurHandler,
    })
    done()
  })
}

function forward(
  context: WebSocketContext & ExchangeContext,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { admission } = request
  if (admission === null) throw new TypeError('a proxied request came past its guard')
  if (isUpgrade(request.raw)) bridgeWebSocket(context, request, reply, admission)
  else {
    inviteBody(request.raw)
    new Exchange(context, request, reply, admission).start()
  }
}

/**
 * Our handler sends the target that the guard has judged. The plugin's own rewriting, which would re-encode queries and parse
 * each address three times, is therefore given next to nothing to do, and its transport is never used.
 */
const unusedByOurHandler = {
  // Parsed with every request: the shortest address is the cheapest.
  upstream: 'http://x',
  rewritePrefix: '/',
  preRewrite: () => '/',
  globalAgent: true,
  disableCache: true,
}
