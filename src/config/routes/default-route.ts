import type { RouteAudience } from '../audience.ts'
import type { SettingValues } from '../settings/settings.ts'
import type { RouteConfig, RouteTls } from './route.ts'
import { plainAccess } from './rules/access.ts'

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
  | 'maxInFlightPerSession'
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
    ...placesOf({}, defaults),
  }
}

/** One caller's share is a tenth, and at least what a page with its pictures, streams and tabs takes. */
const shareOfPlaces = 10
const leastShare = 10

interface Places {
  readonly maxInFlight: number
  readonly maxInFlightPerSession?: number | undefined
}

/** The places of a route, and each caller's share of them: as written there, else as set. */
export function placesOf(
  written: { readonly [Key in keyof Places]?: Places[Key] | undefined },
  set: Places,
): Required<Pick<RouteConfig, keyof Places>> {
  const { maxInFlight = set.maxInFlight, maxInFlightPerSession = set.maxInFlightPerSession } = written
  const share = Math.max(leastShare, Math.floor(maxInFlight / shareOfPlaces))
  return { maxInFlight, maxInFlightPerSession: maxInFlightPerSession ?? share }
}

function defaultTls(defaults: RouteDefaults): RouteTls | undefined {
  const { upstreamCa: caPem, upstreamCertificate: certPem, upstreamKey: keyPem } = defaults
  return caPem === undefined && certPem === undefined ? undefined : { caPem, certPem, keyPem }
}
