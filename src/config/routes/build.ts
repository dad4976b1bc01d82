import type { RouteAudience } from '../audience.ts'
import { describeAudience } from '../audience.ts'
import { defaultRoute, placesOf, type RouteDefaults, toMs } from './default-route.ts'
import type { RouteConfig, RouteTls } from './route.ts'
import { toAccess } from './rules/build-access.ts'
import { toBytes, type WrittenRoute } from './schema.ts'

/**
 * A written route with everything that it does not say filled in.
 *
 * @param audience the API of routes that name none
 * @param tls the route's own certificates, already read
 */
export function toRoute(
  written: WrittenRoute,
  defaults: RouteDefaults,
  audience: RouteAudience,
  tls: RouteTls | undefined,
): RouteConfig {
  const base = defaultRoute(defaults, audience)
  const auth = written.auth ?? base.auth
  const isKnown = auth !== 'none' || written.token === 'client'
  const access = toAccess(written, isKnown ? audienceOf(written, audience) : undefined)
  return {
    ...base,
    ...limitsOf(written, base),
    ...placesOf(written, defaults),
    ...addressesOf(written),
    auth,
    audience: auth !== 'none' && access.token === 'user' ? access.api : undefined,
    access,
    methods: written.methods ?? methodsOf(auth, access),
    websocket: written.websocket ?? auth !== 'none',
    forwardCookies: written.forwardCookies ?? base.forwardCookies,
    forwardAuthorization: written.forwardAuthorization ?? base.forwardAuthorization,
    forwardOrigin: written.forwardOrigin ?? base.forwardOrigin,
    allowSetCookies: written.allowSetCookies ?? base.allowSetCookies,
    allowRedirectHosts: (written.allowRedirectHosts ?? []).map((host) => host.toLowerCase()),
    activeContent: written.activeContent ?? base.activeContent,
    tls: tls ?? base.tls,
  }
}

function addressesOf({
  prefix,
  upstream,
  proofUrl,
}: WrittenRoute): Pick<RouteConfig, 'prefix' | 'upstream' | 'proofUrl'> {
  return {
    prefix: prefix === '/' ? '' : prefix,
    upstream: upstream === 'external' ? upstream : new URL(upstream),
    ...(proofUrl === undefined ? {} : { proofUrl: new URL(proofUrl) }),
  }
}

/** With our own rights nobody does more than read, unless the route says so. */
function methodsOf(auth: RouteConfig['auth'], { token }: RouteConfig['access']) {
  return auth === 'none' && token === 'client' ? ['GET', 'HEAD'] : undefined
}

type Limits =
  | 'connectTimeoutMs'
  | 'firstByteTimeoutMs'
  | 'idleTimeoutMs'
  | 'bodyLimitBytes'
  | 'websocketMaxMessageBytes'

function limitsOf(written: WrittenRoute, base: Pick<RouteConfig, Limits>) {
  const ms = (seconds: number | undefined, otherwise: number): number =>
    seconds === undefined ? otherwise : toMs(seconds)
  const size = (value: number | string | undefined, otherwise: number): number =>
    value === undefined ? otherwise : toBytes(value)
  return {
    connectTimeoutMs: ms(written.connectTimeout, base.connectTimeoutMs),
    firstByteTimeoutMs: ms(written.firstByteTimeout, base.firstByteTimeoutMs),
    idleTimeoutMs: ms(written.idleTimeout, base.idleTimeoutMs),
    ...(written.streamIdleTimeout === undefined
      ? {}
      : { streamIdleTimeoutMs: toMs(written.streamIdleTimeout) }),
    bodyLimitBytes: size(written.bodyLimit, base.bodyLimitBytes),
    websocketMaxMessageBytes: size(written.websocketMaxMessage, base.websocketMaxMessageBytes),
  }
}

function audienceOf(written: WrittenRoute, audience: RouteAudience): RouteAudience {
  const own = typeof written.audience === 'string' ? [written.audience] : written.audience
  if (own === undefined && written.audienceParameter === undefined && written.scope === undefined)
    return audience
  return describeAudience(
    own ?? audience.accepted,
    written.audienceParameter ?? audience.parameter,
    written.scope,
  )
}
