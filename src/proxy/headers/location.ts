/** What decides where an upstream may send the browser. */
export interface LocationRules {
  readonly upstreamOrigin: string
  /** The upstream's path, without a trailing slash; '' for the root. */
  readonly upstreamPath: string
  readonly prefix: string
  /** Our own origin: an API that reads `x-forwarded-host` may name it. */
  readonly baseOrigin: string
  /** Lower-case `host` or `host:port`. */
  readonly allowRedirectHosts: readonly string[]
}

/** Finds the `location` for the browser, or `undefined` when the upstream's leads where this route does not allow. */
export type LocationMapper = (untrustedLocation: string, upstreamTarget: string) => string | undefined

/** Builds a route's mapper. Nothing of the upstream's own name reaches the browser. */
export function createLocationMapper(rules: LocationRules): LocationMapper {
  const allowed = new Set(rules.allowRedirectHosts)
  const mayDowngrade = rules.baseOrigin.startsWith('http:')
  return (untrustedLocation, upstreamTarget) => {
    const url = resolve(untrustedLocation, rules.upstreamOrigin + upstreamTarget)
    if (url === undefined || url.username !== '' || url.password !== '') return undefined
    if (url.origin === rules.upstreamOrigin) return withinPrefix(url, rules)
    if (url.origin === rules.baseOrigin) return url.href
    if (url.protocol !== 'https:' && !(mayDowngrade && url.protocol === 'http:')) return undefined
    return allowed.has(url.host) ? url.href : undefined
  }
}

/** Resolves as browsers do; header values arrive as one character per byte, and the bytes are UTF-8. */
function resolve(untrustedLocation: string, base: string): URL | undefined {
  const text = Buffer.from(untrustedLocation, 'latin1').toString('utf8')
  return URL.parse(text, base) ?? undefined
}

function withinPrefix(url: URL, { upstreamPath, prefix }: LocationRules): string | undefined {
  const { pathname } = url
  if (pathname !== upstreamPath && !pathname.startsWith(`${upstreamPath}/`)) return undefined
  return prefix + pathname.slice(upstreamPath.length) + url.search + url.hash
}
