import type { RouteAudience } from '../audience.ts'
import type { RouteAccess, RouteTokenKind } from './rules/access.ts'

/** How a route treats sessions: demand one, use one when there is one, or never look (DESIGN section 2.3). */
export type RouteAuth = 'required' | 'optional' | 'none'

/** Certificates for an upstream, PEM text. Verification of the upstream is never off. */
export interface RouteTls {
  /** Authorities trusted instead of the system's. */
  readonly caPem: string | undefined
  /** Client certificate chain; always together with `keyPem`. */
  readonly certPem: string | undefined
  readonly keyPem: string | undefined
}

/** One proxied prefix and everything that is allowed under it. Frozen. */
export interface RouteConfig {
  /** Starts with `/`, has no trailing slash, no empty or dot segment, no escapes. `''`: everything else, where another proxy carries. */
  readonly prefix: string
  /**
   * http(s); its path replaces the prefix. Without credentials, query or fragment. `external`: another proxy carries the requests, and only
   * asks here whether it may.
   */
  readonly upstream: URL | 'external'
  /** The API's own address, where it is another one than `upstream`: what proofs of possession name (RFC 9449, `htu`). */
  readonly proofUrl?: URL
  readonly auth: RouteAuth
  /** The API whose token of the session is sent; `undefined` where the session's tokens do not go upstream. */
  readonly audience: RouteAudience | undefined
  /** Who may call, with what token, and what they must have proved. */
  readonly access: RouteAccess
  /** Upper-case methods that are let through; `undefined`: every one the gateway forwards. */
  readonly methods: readonly string[] | undefined
  readonly connectTimeoutMs: number
  readonly firstByteTimeoutMs: number
  /** Longest silence within a body, in either direction; 0: no limit. Not for event streams and WebSockets. */
  readonly idleTimeoutMs: number
  /** Longest silence of an event stream or a WebSocket; absent: no limit. */
  readonly streamIdleTimeoutMs?: number
  readonly bodyLimitBytes: number
  readonly websocket: boolean
  readonly websocketMaxMessageBytes: number
  /** Names of the browser's cookies that may reach the upstream; never one of the gateway's. */
  readonly forwardCookies: readonly string[]
  /** The client's own `authorization` passes; possible only with `auth: none`. */
  readonly forwardAuthorization: boolean
  readonly forwardOrigin: boolean
  /** Names of cookies that the upstream may set in the browser; never one of the gateway's. */
  readonly allowSetCookies: readonly string[]
  /** Lower-case `host` or `host:port` that an upstream's `location` may lead to. */
  readonly allowRedirectHosts: readonly string[]
  /** HTML, XML and SVG pass without the sandboxing policy. */
  readonly activeContent: boolean
  readonly tls: RouteTls | undefined
  /** Requests, event streams and WebSockets open at once to this route's upstream; above: 503 `overloaded`. */
  readonly maxInFlight: number
  /** How many of them one session, or one address without a session, may hold; above: 429 `rate_limited`. */
  readonly maxInFlightPerSession: number
}

/** A route whose requests are carried here. */
export type ProxiedRoute = RouteConfig & { readonly upstream: URL }

/** With what token a route's requests really go upstream: nobody's session is looked for without authentication. */
export function sentTokenKind({ auth, access: { token } }: RouteConfig): RouteTokenKind {
  return auth === 'none' && token === 'user' ? 'none' : token
}

/** Whether a route's requests are carried here. */
export function isProxied(route: RouteConfig): route is ProxiedRoute {
  return route.upstream !== 'external'
}
