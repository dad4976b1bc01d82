import type { RouteConfig } from '../../config/routes/route.ts'
import { claimsReadBy } from '../../config/routes/rules/claims-read.ts'
import type { Claims } from '../../oidc/verification/claims.ts'

/** Which of the claims that a route reads did not come. */
export interface RouteClaims {
  readonly prefix: string
  /** Of the ID token and the userinfo endpoint. */
  readonly identity: readonly string[]
  /** Of the access token; `undefined`: it could not be verified, so that nothing is known. */
  readonly accessToken: readonly string[] | undefined
}

/** What one login brought. */
export interface BroughtClaims {
  readonly identity: Claims
  /** Of the access token by which a route judges, once verified. */
  readonly accessTokenOf: (route: RouteConfig) => Claims | undefined
}

/** Compares what came with what each route reads of those who come with a session; routes that read nothing are left out. */
export function findMissingClaims(
  routes: readonly RouteConfig[],
  { identity, accessTokenOf }: BroughtClaims,
): readonly RouteClaims[] {
  return routes.flatMap((route) => {
    const { access, prefix } = route
    const read = claimsReadBy(access)
    if (!access.callers.includes('session') || read.identity.length + read.accessToken.length === 0) return []
    const claims = read.accessToken.length === 0 ? {} : accessTokenOf(route)
    const missing = {
      identity: read.identity.filter((name) => isMissing(identity[name])),
      accessToken: claims && read.accessToken.filter((name) => isMissing(claimIn(claims, name))),
    }
    return [{ prefix, ...missing }]
  })
}

/** Entra calls the scope `scp`. */
function claimIn(claims: Claims, name: string): unknown {
  return claims[name] ?? (name === 'scope' ? claims.scp : undefined)
}

function isMissing(value: unknown): boolean {
  return value === undefined || value === null
}
