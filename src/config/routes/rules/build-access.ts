import type { RouteAudience } from '../../audience.ts'
import type { WrittenRoute } from '../schema.ts'
import {
  type CallerKind,
  type ClaimDemand,
  plainAccess,
  type RouteAccess,
  type RouteDemand,
  type RouteRequirement,
} from './access.ts'
import type { WrittenDemand, WrittenRequirement } from './access-keys.ts'

type WrittenAccess = Pick<WrittenRoute, 'token' | 'exchange' | 'require' | 'identityHeaders' | 'claims'> & {
  readonly callers?: readonly CallerKind[] | undefined
}

/** The access rules of a route as it was written, with everything that it does not say filled in. */
export function toAccess(written: WrittenAccess, api: RouteAudience | undefined): RouteAccess {
  const { exchange } = plainAccess
  return {
    token: written.token ?? plainAccess.token,
    api,
    exchange: {
      profile: written.exchange?.profile ?? exchange.profile,
      requestedTokenType: written.exchange?.requestedTokenType,
    },
    callers: written.callers ?? plainAccess.callers,
    require: written.require === undefined ? undefined : toRequirement(written.require),
    identityHeaders: Object.entries(written.identityHeaders ?? {}),
    claims: written.claims ?? [],
  }
}

/** `require`, with the source of each claim told apart. */
export function toRequirement({ any, ...rest }: WrittenRequirement): RouteRequirement {
  return { ...toDemand(rest), any: (any ?? []).map(toDemand) }
}

function toDemand({ acr, maxAge, ...claims }: WrittenDemand): RouteDemand {
  return {
    claims: Object.entries(claims).flatMap(([name, values]) =>
      values === undefined ? [] : [toClaimDemand(name, values)],
    ),
    acr: acr === undefined ? undefined : texts(acr),
    maxAgeSeconds: maxAge,
  }
}

const accessTokenPrefix = 'access_token.'
/** What grants rights stands in the access token, whatever else the identity says. */
const accessTokenClaims = new Set(['scope', 'permissions'])

type Values = NonNullable<WrittenDemand[string]>

function toClaimDemand(name: string, values: Values): ClaimDemand {
  const isPrefixed = name.startsWith(accessTokenPrefix)
  return {
    source: isPrefixed || accessTokenClaims.has(name) ? 'access_token' : 'identity',
    claim: isPrefixed ? name.slice(accessTokenPrefix.length) : name,
    values: texts(values),
  }
}

/** `scope: read write` means both. */
function texts(values: Values): readonly string[] {
  return [values].flat().flatMap((value) =>
    String(value)
      .split(' ')
      .filter((word) => word !== ''),
  )
}
