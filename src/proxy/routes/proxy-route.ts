import { type AccessRuleOptions, type AccessRules, createAccessRules } from '../../access/rules/rules.ts'
import type { TargetRule } from '../../access/target.ts'
import type { ProxiedRoute } from '../../config/routes/route.ts'
import {
  type HeaderFields,
  type SecurityHeaderOptions,
  transportHeaders,
} from '../../http/answers/security-headers.ts'
import { type CookieRules, createCookiePolicy } from '../../http/cookies/cookie-policy.ts'
import type { Cookies } from '../../http/cookies/cookies.ts'
import { type UpstreamWay, upstreamProxyFor } from '../../network/outbound-proxy.ts'
import type { TokenBindingKind } from '../../oidc/tokens/token-set.ts'
import { createLocationMapper } from '../headers/location.ts'
import { createRequestHeaderPolicy, type RequestHeaderPolicy } from '../headers/request-headers.ts'
import type { ReservedNames } from '../headers/reserved-names.ts'
import { createResponseHeaderPolicy, type ResponseHeaderPolicy } from '../headers/response-headers.ts'
import { createUpstreamPool, type UpstreamPool } from '../upstream/upstream-pool.ts'

/** What all routes share. The configuration satisfies it. */
export interface ProxyOptions extends SecurityHeaderOptions, AccessRuleOptions, UpstreamWay {
  readonly authPrefix: string
  readonly tokenBinding?: TokenBindingKind
  readonly issuerUrl: string
  /** Seconds. */
  readonly sessionIdleTimeout: number
  /** Seconds. */
  readonly sessionMaxLifetime: number
  readonly maxWebsocketsPerSession: number
  /** Bytes a second. */
  readonly uploadMinRate: number
  readonly trustProxy: readonly string[]
}

/** What a route is derived with. */
export interface RouteServices {
  readonly cookies: Pick<Cookies, 'isGatewayCookie'>
  /** Names of headers that some route of the process writes. */
  readonly reservedNames: ReservedNames
  readonly now: () => number
}

/** A route's configuration together with everything that is derived from it once. */
export interface ProxyRoute extends AccessRules {
  readonly config: ProxiedRoute
  readonly requestHeaders: RequestHeaderPolicy
  /** The same for WebSocket handshakes, the headers of which `ws` writes. */
  readonly handshakeHeaders: RequestHeaderPolicy
  readonly responseHeaders: ResponseHeaderPolicy
  readonly pool: UpstreamPool
  /** A proxy on the way to the upstream. */
  readonly outboundProxy: URL | undefined
}

/** What a route has that is not said in routes files. */
export interface SpecialRules {
  readonly cookies: CookieRules
  /** Headers of HTML documents. */
  readonly documentHeaders: HeaderFields
  readonly isApp: boolean
}

/** Derives a route. */
export function createProxyRoute(
  config: ProxiedRoute,
  options: ProxyOptions,
  { cookies: ownCookies, reservedNames, now }: RouteServices,
  special: SpecialRules = { cookies: config, documentHeaders: {}, isApp: false },
): ProxyRoute {
  const access = createAccessRules(config, special.isApp, options)
  const cookies = createCookiePolicy(special.cookies, ownCookies)
  const outboundProxy = upstreamProxyFor(config.upstream, options)
  const requestRules = { ...config, cookies, baseUrl: options.baseUrl, reservedNames }
  return {
    ...access,
    config,
    requestHeaders: createRequestHeaderPolicy(requestRules),
    handshakeHeaders: createRequestHeaderPolicy({ ...requestRules, writtenByTransport: writtenByWs }),
    responseHeaders: createResponseHeaderPolicy({
      cookies,
      mapLocation: createMapper(config, access.target, options),
      guarded: access.isGuarded,
      activeContent: config.activeContent,
      forwardAuthorization: config.forwardAuthorization,
      transport: transportHeaders(options),
      documentHeaders: special.documentHeaders,
    }),
    pool: createUpstreamPool({ ...config, outboundProxy }, now),
    outboundProxy,
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

function createMapper(config: ProxiedRoute, target: TargetRule, options: ProxyOptions) {
  return createLocationMapper({
    upstreamOrigin: config.upstream.origin,
    upstreamPath: target.upstreamPath,
    prefix: config.prefix,
    baseOrigin: options.baseUrl.origin,
    allowRedirectHosts: config.allowRedirectHosts,
  })
}
