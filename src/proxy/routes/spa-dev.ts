import type { ProxiedRoute } from '../../config/routes/route.ts'
import { plainAccess } from '../../config/routes/rules/access.ts'
import { defaultSpaCsp, type HeaderFields, htmlReferrerPolicy } from '../../http/answers/security-headers.ts'
import type { CookieRules } from '../../http/cookies/cookie-policy.ts'
import { createProxyRoute, type ProxyOptions, type ProxyRoute, type RouteServices } from './proxy-route.ts'

/** The development server of the app. The configuration satisfies it. */
export interface SpaDevOptions {
  /** `undefined`: there is none. */
  readonly spaUrl: URL | undefined
  /** Replaces the default policy of the app's pages. */
  readonly spaCsp: string | undefined
  /** The path of `BASE_URL`, `''` for none. */
  readonly basePath: string
}

/** A development server compiles before it answers, milliseconds. */
const firstByteTimeoutMs = 120_000
const connectTimeoutMs = 5_000
/** What developers send to their own machine, bytes. */
const bodyLimitBytes = 104_857_600
const websocketMaxMessageBytes = 16_777_216
const maxInFlight = 1_000

/** Everything passes between a browser and the developer's own server, except what is the gateway's. */
const everyCookie: CookieRules = { forwardCookies: 'all', allowSetCookies: 'all' }

/**
 * The route to the development server: all paths that are nobody else's, its hot-reload WebSocket included, without session and
 * token. Its `Origin` check is its own, so the header passes.
 */
export function createSpaDevRoute(
  spaUrl: URL,
  options: ProxyOptions & SpaDevOptions,
  services: RouteServices,
): ProxyRoute {
  const config: ProxiedRoute = {
    prefix: options.basePath,
    upstream: beneath(spaUrl, options.basePath),
    auth: 'none',
    audience: undefined,
    access: plainAccess,
    methods: undefined,
    connectTimeoutMs,
    firstByteTimeoutMs,
    idleTimeoutMs: 0,
    bodyLimitBytes,
    websocket: true,
    websocketMaxMessageBytes,
    forwardCookies: [],
    forwardAuthorization: false,
    forwardOrigin: true,
    allowSetCookies: [],
    allowRedirectHosts: [],
    activeContent: true,
    tls: undefined,
    maxInFlight,
    maxInFlightPerSession: maxInFlight,
  }
  return createProxyRoute(config, options, services, {
    cookies: everyCookie,
    documentHeaders: pageHeaders(options),
    isApp: true,
  })
}

/** A development server is told its base path itself and expects it in every address. */
function beneath(spaUrl: URL, basePath: string): URL {
  return basePath === '' ? spaUrl : new URL(`${spaUrl.pathname.replace(/\/$/, '')}${basePath}`, spaUrl)
}

/** What the app's pages get when they are served from files, so that a policy that breaks them is met in development. */
function pageHeaders({ spaCsp }: SpaDevOptions): HeaderFields {
  return { 'content-security-policy': spaCsp ?? defaultSpaCsp, 'referrer-policy': htmlReferrerPolicy }
}
