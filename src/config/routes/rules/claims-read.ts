import type { RouteAudience } from '../../audience.ts'
import type { RouteConfig } from '../route.ts'
import type { RouteAccess, RouteRequirement } from './access.ts'

type Read = Pick<RouteConfig, 'access' | 'audience'>

/** Claims of the identity that routes read, besides those that `USER_CLAIMS` names; each once. */
export function identityClaimsOf(routes: readonly Read[]): readonly string[] {
  const names = routes.flatMap(({ access }) => [
    ...claimsReadBy(access).identity,
    ...(access.token === 'gateway' ? ['amr'] : []),
  ])
  return [...new Set(names)]
}

/** The claims that a route's rules name, each once. */
export function claimsReadBy({ require, identityHeaders, claims }: RouteAccess) {
  const told = identityHeaders.map(([, claim]) => claim)
  return {
    identity: [...new Set([...claimsOf(require, 'identity'), ...told, ...claims])],
    accessToken: [...new Set(claimsOf(require, 'access_token'))],
  }
}

/** Whether a route reads who signed in, with every request. */
export function readsIdentity({ access }: Read): boolean {
  return access.token === 'gateway' || access.require !== undefined || access.identityHeaders.length > 0
}

/**
 * Claims that routes judge by, of each API's access token: by the key of the audience. Where the session's token does not go upstream it
 * is that of the login.
 */
export function accessClaimsOf(
  routes: readonly Read[],
  login: RouteAudience,
): Readonly<Record<string, readonly string[]>> {
  const names: Record<string, readonly string[]> = {}
  for (const { access, audience = login } of routes) {
    const read = claimsOf(access.require, 'access_token').flatMap(withTwin)
    if (read.length > 0) names[audience.key] = [...new Set([...(names[audience.key] ?? []), ...read])]
  }
  return names
}

/** Entra calls the scope `scp`. */
function withTwin(name: string): readonly string[] {
  return name === 'scope' ? ['scope', 'scp'] : [name]
}

function claimsOf(requirement: RouteRequirement | undefined, source: 'identity' | 'access_token') {
  const demands = requirement === undefined ? [] : [requirement, ...requirement.any]
  return demands.flatMap(({ claims }) =>
    claims.filter((each) => each.source === source).map(({ claim }) => claim),
  )
}
