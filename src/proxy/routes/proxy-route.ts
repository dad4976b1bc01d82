import { METHODS } from 'node:http'
import { createTargetRule, type TargetRule } from '../../access/target.ts'
import type { RouteConfig } from '../../config/routes/route.ts'
import {
  type HeaderFields,
  type SecurityHeaderOptions,
  transportHeaders,
} from '../../http/answers/security-headers.ts'
import type { ApiAudience } from '../../oidc/tokens/token-set.ts'
import { type CookieRules, createCookiePolicy } from '../headers/cookie-policy.ts'
import { createLocationMapper } from '../headers/location.ts'
import { createRequestHeaderPolicy, type RequestHeaderPolicy } from '../headers/request-headers.ts'
import { createResponseHeaderPolicy, type ResponseHeaderPolicy } from '../headers/response-headers.ts'
import { createUpstreamPool, type UpstreamPool } from '../upstream/upstream-pool.ts'

/** What all routes share. The configuration satisfies it. */
export interface ProxyOptions extends SecurityHeaderOptions {
  readonly authPrefix: string
  /** Seconds. */
  readonly sessionIdleTimeout: number
  /** Seconds. */
  readonly sessionMaxLifetime: number
  readonly maxWebsocketsPerSession: number
}

/** A route's configuration together with everything that is derived from it once. */
export interface ProxyRoute {
  readonly config: RouteConfig
  readonly isGuarded: boolean
  /** The app itself and no API: its service worker may be loaded from here. */
  readonly isApp: boolean
  readonly audience: ApiAudience | undefined
  readonly target: TargetRule
  readonly methods: ReadonlySet<string>
  /** `methods` as the value of `allow`. */
  readonly allow: string
  readonly requestHeaders: RequestHeaderPolicy
  /** The same for WebSocket handshakes, the headers of which `ws` writes. */
  readonly handshakeHeaders: RequestHeaderPolicy
  readonly responseHeaders: ResponseHeaderPolicy
  readonly pool: UpstreamPool
}

/**
 * Methods that are let through unless the route lists its own. TRACE and CONNECT never are: the one echoes our token, the
 * other opens tunnels.
 */
export const usualMethods: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Every method that a route answers at all, if only with 405. CONNECT never arrives as a request. */
export const answeredMethods: readonly string[] = METHODS.filter((method) => method !== 'CONNECT')

/** What a route has that is not said in routes files. */
export interface SpecialRules {
  readonly cookies: CookieRules
  /** Headers of HTML documents. */
  readonly documentHeaders: HeaderFields
  readonly isApp: boolean
}

/** Derives a route. */
export function createProxyRoute(
  config: RouteConfig,
  options: ProxyOptions,
  now: () => number,
  special: SpecialRules = { cookies: config, documentHeaders: {}, isApp: false },
): ProxyRoute {
  const target = createTargetRule(config.prefix, config.upstream)
  const cookies = createCookiePolicy(special.cookies)
  const isGuarded = config.auth !== 'none'
  const methods = new Set(config.methods ?? usualMethods)
  const requestRules = { ...config, cookies, baseUrl: options.baseUrl }
  return {
    config,
    isGuarded,
    isApp: special.isApp,
    audience: config.audience,
    target,
    methods,
    allow: [...methods].join(', '),
    requestHeaders: createRequestHeaderPolicy(requestRules),
    handshakeHeaders: createRequestHeaderPolicy({ ...requestRules, writtenByTransport: writtenByWs }),
    responseHeaders: createResponseHeaderPolicy({
      cookies,
      mapLocation: createMapper(config, target, options),
      guarded: isGuarded,
      activeContent: config.activeContent,
      transport: transportHeaders(options),
      documentHeaders: special.documentHeaders,
    }),
    pool: createUpstreamPool(config, now),
  }
}

const writtenByWs: readonly string[] = [
  'content-length',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
  'sec-websocket-accept',
]

function createMapper(config: RouteConfig, target: TargetRule, options: ProxyOptions) {
  return createLocationMapper({
    upstreamOrigin: config.upstream.origin,
    upstreamPath: target.upstreamPath,
    prefix: config.prefix,
    baseOrigin: options.baseUrl.origin,
    allowRedirectHosts: config.allowRedirectHosts,
  })
}
