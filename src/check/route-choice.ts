import { isBeneath } from '../basics/path-prefix.ts'
import { GatewayError } from '../errors/gateway-error.ts'
import { isReservedPath } from '../http/guards/return-to.ts'

/** Something that a prefix leads to. */
interface Prefixed {
  readonly prefix: string
}

/** Finds what a target belongs to. */
export type RouteChoice<Route extends Prefixed> = (untrustedTarget: string) => Route

/**
 * Makes the choice of a route by the longest prefix, whole segments, byte by byte. Who carries the request may read its path in another way
 * than who answers it: decoded, with slashes merged, in any case. So a path that somebody could take for another route's is refused.
 *
 * @param ownPaths the gateway's own endpoints, which whoever carries must send here: a route for everything does not hold them
 * @throws GatewayError (when called) `not_found`, as 403: who asks knows no other refusal; `request_target_rejected`
 */
export function createRouteChoice<Route extends Prefixed>(
  routes: readonly Route[],
  ownPaths: readonly string[],
): RouteChoice<Route> {
  const places = routes
    .map((route) => ({ route, prefix: route.prefix, others: othersOf(route, routes) }))
    .toSorted((one, other) => other.prefix.length - one.prefix.length)
  return (untrustedTarget) => {
    const queryAt = untrustedTarget.indexOf('?')
    const path = queryAt === -1 ? untrustedTarget : untrustedTarget.slice(0, queryAt)
    const place = path === '' ? undefined : places.find(({ prefix }) => isBeneath(path, prefix))
    if (place === undefined || ownPaths.some((own) => isBeneath(path, own)))
      throw new GatewayError('not_found', { status: 403 })
    if (place.others.length > 0 && isReservedPath(path, place.others))
      throw new GatewayError('request_target_rejected')
    return place.route
  }
}

/** Lower-case prefixes that nobody may see in a path of this route; those above it are in each of its paths. */
function othersOf({ prefix }: Prefixed, routes: readonly Prefixed[]): readonly string[] {
  return routes
    .filter((other) => other.prefix !== '' && !isBeneath(prefix, other.prefix))
    .map((other) => other.prefix.toLowerCase())
}
