import type { Cookies } from './cookies.ts'

/** Which cookies pass a route, either way. */
export interface CookiePolicy {
  /** The `cookie` header for the upstream, or `undefined` when none passes. */
  toUpstream(untrustedHeader: string): string | undefined
  /** Whether the upstream may set this cookie in the browser. */
  maySet(setCookie: string): boolean
}

/** What a route's cookie policy is made of. */
export interface CookieRules {
  /** Names that may reach the upstream, or `all` but the gateway's own. */
  readonly forwardCookies: readonly string[] | 'all'
  /** Names that the upstream may set, or `all` but the gateway's own. */
  readonly allowSetCookies: readonly string[] | 'all'
}

/** Builds the cookie policy of a route. The gateway's own cookies never pass, whatever the lists say. */
export function createCookiePolicy(rules: CookieRules, own: Pick<Cookies, 'isGatewayCookie'>): CookiePolicy {
  const mayForward = allowList(rules.forwardCookies, own)
  const maySetName = allowList(rules.allowSetCookies, own)
  const forwardsNone = rules.forwardCookies.length === 0
  return {
    toUpstream(untrustedHeader) {
      if (forwardsNone) return undefined
      const kept = untrustedHeader.split(';').filter((pair) => mayForward(nameOf(pair)))
      return kept.length === 0 ? undefined : kept.map((pair) => pair.trim()).join('; ')
    },
    maySet: (setCookie) => maySetName(nameOf(setCookie.split(';', 1)[0] ?? '')),
  }
}

/** The name as browsers read it; a pair without `=` is a cookie with an empty name (RFC 6265bis section 5.6). */
function nameOf(pair: string): string {
  const equalsAt = pair.indexOf('=')
  return equalsAt === -1 ? '' : pair.slice(0, equalsAt).trim()
}

function allowList(
  names: readonly string[] | 'all',
  own: Pick<Cookies, 'isGatewayCookie'>,
): (name: string) => boolean {
  const listed = names === 'all' ? undefined : new Set(names)
  // An empty name is never let through: `=name=value` reaches servers as `name=value`.
  return (name) => name !== '' && !own.isGatewayCookie(name) && (listed === undefined || listed.has(name))
}
