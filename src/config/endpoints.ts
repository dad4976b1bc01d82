import { isBeneath } from '../basics/path-prefix.ts'

/** The gateway's own endpoints, before `AUTH_PREFIX` (DESIGN section 2.1). */
export const gatewayEndpoints = [
  '/login',
  '/callback',
  '/session',
  '/sessions',
  '/logout',
  '/backchannel-logout',
  '/frontchannel-logout',
  '/client.js',
  '/device',
  '/client-keys',
] as const

/** Endpoints of the orchestrator: never moved by `AUTH_PREFIX`, because probes know nothing of the app. */
export const healthEndpoints = ['/livez', '/readyz'] as const

/** What stands before the path of a protected resource where its metadata is (RFC 9728 section 3.1). */
export const resourceMetadataPrefix = '/.well-known/oauth-protected-resource'

/** What has to be registered at the provider, as whole addresses. */
export function addressesAtProvider(config: {
  readonly baseUrl: URL
  readonly authPrefix: string
}): Readonly<Record<'callback' | 'logout' | 'backchannelLogout', string>> {
  const at = (path: string): string => `${config.baseUrl.origin}${config.authPrefix}${path}`
  return {
    callback: at('/callback'),
    logout: at('/logout/callback'),
    backchannelLogout: at('/backchannel-logout'),
  }
}

/** Every path that the gateway answers itself; what lies beneath them is its own too. */
export function ownedPaths(authPrefix: string): readonly string[] {
  return [...gatewayEndpoints.map((path) => `${authPrefix}${path}`), ...healthEndpoints]
}

/**
 * What is wrong with a route's prefix in view of the gateway's endpoints and the routes before it. Compared without regard to case: a
 * prefix that only case tells apart from another invites mistakes.
 *
 * @returns the end of a sentence that begins with the prefix's name, or `undefined`
 */
export function prefixProblem(
  prefix: string,
  authPrefix: string,
  earlierPrefixes: readonly string[],
): string | undefined {
  const candidate = prefix.toLowerCase()
  if (earlierPrefixes.some((earlier) => earlier.toLowerCase() === candidate)) {
    return 'is the prefix of an earlier route too'
  }
  const owned = ownedPaths(authPrefix.toLowerCase())
  const clash = owned.find((path) => isBeneath(path, candidate) || isBeneath(candidate, path))
  return clash === undefined
    ? undefined
    : `overlaps the gateway's own ${clash}; choose another, or set AUTH_PREFIX`
}
