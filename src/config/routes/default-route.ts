import type { SettingValues } from '../settings/settings.ts'
import { plainAccess } from './access.ts'
import type { RouteAudience, RouteConfig, RouteTls } from './route.ts'

/** The settings that are defaults of every route. */
export type RouteDefaults = Pick<
  SettingValues,
  | 'authPrefix'
  | 'audienceParameter'
  | 'upstreamConnectTimeout'
  | 'upstreamFirstByteTimeout'
  | 'upstreamIdleTimeout'
  | 'bodyLimit'
  | 'websocketMaxMessage'
  | 'maxInFlight'
  | 'upstreamCa'
  | 'upstreamCertificate'
  | 'upstreamKey'
>

/** Seconds of a setting or routes file as milliseconds. */
export function toMs(seconds: number): number {
  return Math.round(seconds * 1_000)
}

/** A route that says nothing but its prefix and upstream: guarded, with the API's audience, WebSockets allowed. */
export function defaultRoute(
  defaults: RouteDefaults,
  audience: RouteAudience,
): Omit<RouteConfig, 'prefix' | 'upstream'> {
  return {
    auth: 'required',
    audience,
    access: { ...plainAccess, api: audience },
    methods: undefined,
    connectTimeoutMs: toMs(defaults.upstreamConnectTimeout),
    firstByteTimeoutMs: toMs(defaults.upstreamFirstByteTimeout),
    idleTimeoutMs: toMs(defaults.upstreamIdleTimeout),
    bodyLimitBytes: defaults.bodyLimit,
    websocket: true,
    websocketMaxMessageBytes: defaults.websocketMaxMessage,
    forwardCookies: [],
    forwardAuthorization: false,
    forwardOrigin: false,
    allowSetCookies: [],
    allowRedirectHosts: [],
    activeContent: false,
    tls: defaultTls(defaults),
    maxInFlight: defaults.maxInFlight,
  }
}

function defaultTls(defaults: RouteDefaults): RouteTls | undefined {
  const { upstreamCa: caPem, upstreamCertificate: certPem, upstreamKey: keyPem } = defaults
  return caPem === undefined && certPem === undefined ? undefined : { caPem, certPem, keyPem }
}
