import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance } from 'fastify'
import type { AccessServices } from '../../access/context.ts'
import { createAccess } from '../../access/decide.ts'
import { answeredMethods } from '../../access/rules/rules.ts'
import { createUpstreamCertificates } from '../../access/tokens/upstream-certificates.ts'
import { isProxied, type RouteConfig } from '../../config/routes/route.ts'
import { type AddressKey, createAddressKey } from '../../http/limits/limited-request.ts'
import { sessionLimits } from '../../session/record/session.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import { createOpenCalls, type OpenCalls, type OpenCallsDependencies } from '../calls/open-calls.ts'
import { Exchange } from '../exchange/exchange.ts'
import type { ExchangeContext } from '../exchange/exchange-context.ts'
import { createGuard } from '../exchange/guard.ts'
import type { AdmittedRequest } from '../exchange/proxied-request.ts'
import { createTokenRefusals } from '../exchange/token-refusals.ts'
import { type ReservedNames, reservedNamesOf } from '../headers/reserved-names.ts'
import { bridgeWebSocket } from '../websocket/websocket.ts'
import type { WebSocketContext } from '../websocket/websocket-context.ts'
import { createProxyRoute, type ProxyOptions, type ProxyRoute, type RouteServices } from './proxy-route.ts'
import { createSpaDevRoute, type SpaDevOptions } from './spa-dev.ts'

/** What the proxy is built from. */
export interface ProxyServices extends AccessServices {
  readonly sessions: AccessServices['sessions'] & OpenCallsDependencies['sessions']
  readonly cookies: AccessServices['cookies'] & RouteServices['cookies']
  readonly telemetry: Telemetry
  /** Names of headers that routes of the process's other frontends write. */
  readonly reservedNames: ReservedNames
  readonly now: () => number
}

/** The running proxy. */
export interface ProxyHandle {
  /** Ends WebSockets and event streams in order; closing the app does so too. */
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
  const openCalls = createOpenCalls({
    sessions: services.sessions,
    metrics: services.telemetry.metrics,
    limits: sessionLimits(options),
    deviceToleranceMs: services.device?.toleranceMs ?? 0,
    deviceDemandedFromMs: services.device?.demandedFromMs,
    now: services.now,
  })
  const reservedNames = reservedNamesOf(options.routes, services.reservedNames)
  const shared = { ...services, reservedNames }
  const routes = options.routes.filter(isProxied).map((config) => createProxyRoute(config, options, shared))
  if (options.spaUrl !== undefined) routes.push(createSpaDevRoute(options.spaUrl, options, shared))
  for (const route of routes) {
    openCalls.addRoute(route.pool.calls)
    registerRoute(app, route, openCalls, options, services)
  }
  app.addHook('preClose', () => openCalls.drain())
  app.addHook('onClose', async () => openCalls.close())
  return { drain: () => openCalls.drain() }
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
  openCalls: OpenCalls,
  options: ProxyOptions,
  services: ProxyServices,
): void {
  const access = createAccess(route, services)
  const context = {
    route,
    access,
    stepUps: services.stepUps,
    refusals: createTokenRefusals({
      log: services.telemetry.log,
      route,
      issuerUrl: options.issuerUrl,
      now: services.now,
    }),
    proofs: services.proofs,
    certificates: createUpstreamCertificates(services.certificates, options.tokenBinding === 'mtls'),
    openCalls,
    sessions: services.sessions,
    limits: sessionLimits(options),
    now: services.now,
    metrics: services.telemetry.metrics,
    log: services.telemetry.log,
    maxWebsocketsPerSession: options.maxWebsocketsPerSession,
    uploadMinRate: options.uploadMinRate,
    addressKey: createAddressKey(options.trustProxy),
  }
  app.register((scope, _options, done) => {
    scope.decorateRequest('admitted', null)
    scope.removeAllContentTypeParsers()
    scope.addHook('onRequest', createGuard(access))
    scope.addHook('onClose', () => route.pool.close(closeGraceMs))
    scope.register(httpProxy, {
      prefix: route.config.prefix === '' ? '/' : route.config.prefix,
      httpMethods: [...answeredMethods],
      // It answers by itself and calls nothing after it: the plugin's own handler would parse each address three times for a transport
      // that is never used.
      preHandler: ({ admitted }) => forward(context, admitted),
      upstream: neverUsed,
      globalAgent: true,
    })
    done()
  })
}

function forward(
  context: WebSocketContext & ExchangeContext & { readonly addressKey: AddressKey },
  admitted: AdmittedRequest | null,
): void {
  if (admitted === null) throw new TypeError('a proxied request came past its guard')
  const { request, admission } = admitted
  const { life } = request
  const { session, bearer } = admission
  const owner = session?.h ?? bearer?.holder ?? context.addressKey(request)
  // What was found before a wait may be over by now.
  if (life.hasWaited && session !== undefined) context.openCalls.suspect(session.h)
  if (life.upgrade !== undefined) {
    bridgeWebSocket(context, { request, admission, owner, upgrade: life.upgrade })
    return
  }
  life.inviteBody()
  new Exchange(context, { request, admission, owner }).start()
}

/** The plugin wants an upstream. Where a request really goes is the route's affair, by the target that the guard has judged. */
const neverUsed = 'http://upstream.invalid'
