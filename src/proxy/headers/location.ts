import { isBeneath } from '../../basics/path-prefix.ts'

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
  const isUpstream = createHostTest(new URL(rules.upstreamOrigin))
  const isOurs = createHostTest(new URL(rules.baseOrigin))
  const isDowngrade = (url: URL) => url.protocol === 'http:' && rules.baseOrigin.startsWith('https:')
  return (untrustedLocation, upstreamTarget) => {
    const url = resolve(untrustedLocation, rules.upstreamOrigin + upstreamTarget)
    if (url === undefined || !isPlainWeb(url)) return undefined
    if (url.origin === rules.upstreamOrigin) return withinPrefix(url, rules)
    if (url.origin !== rules.baseOrigin && isNamed(url, allowed))
      return isDowngrade(url) ? undefined : url.href
    if (isOurs(url)) return onOurOrigin(url, rules)
    return isUpstream(url) ? withinPrefix(url, rules) : undefined
  }
}

/** A list may name the scheme's own port, which a URL does not. */
function isNamed({ host, hostname, port, protocol }: URL, hosts: ReadonlySet<string>): boolean {
  if (hosts.has(host)) return true
  return port === '' && hosts.has(`${hostname}:${protocol === 'https:' ? 443 : 80}`)
}

/** Resolves as browsers do; header values arrive as one character per byte, and the bytes are UTF-8. */
function resolve(untrustedLocation: string, base: string): URL | undefined {
  const text = Buffer.from(untrustedLocation, 'latin1').toString('utf8')
  return URL.parse(text, base) ?? undefined
}

function isPlainWeb({ protocol, username, password }: URL): boolean {
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === ''
}

/**
 * A host in either scheme, on its own port or the scheme's: an API that makes addresses of the host it was asked for and the scheme that it
 * was told in `x-forwarded-proto` writes any of these.
 */
function createHostTest(origin: URL): (url: URL) => boolean {
  return (url) => url.hostname === origin.hostname && (url.port === '' || url.port === origin.port)
}

function withinPrefix(
  { pathname, search, hash }: URL,
  { upstreamPath, prefix }: LocationRules,
): string | undefined {
  if (!isBeneath(pathname, upstreamPath)) return undefined
  const path = prefix + pathname.slice(upstreamPath.length) + search + hash
  // Without a prefix two slashes at the start would name a host.
  return path.startsWith('//') ? `/.${path}` : path
}

/**
 * An address on our origin: of the app, or of the API under our name but without our prefix (RFC 7239 proxies tell APIs the host, and few
 * APIs heed `x-forwarded-prefix`). An upstream at the root has every path, so there nothing can be told apart, and it stays.
 */
function onOurOrigin(url: URL, rules: LocationRules): string | undefined {
  const { upstreamPath, prefix, baseOrigin } = rules
  const { pathname, search, hash } = url
  const isMeantForApi =
    upstreamPath !== '' && !isBeneath(pathname, prefix) && isBeneath(pathname, upstreamPath)
  return isMeantForApi ? withinPrefix(url, rules) : baseOrigin + pathname + search + hash
}
