import { splitQuotedList } from './quoted-list.ts'

/** What an upstream's answer said about its storage. */
export interface CachingFacts {
  /** All its `cache-control` values, joined; `undefined` when it sent none. */
  readonly cacheControl: string | undefined
  /** It has an `etag` or `last-modified`, or is itself the answer to a conditional request. */
  readonly hasValidator: boolean
  readonly hasExpires: boolean
}

/**
 * `cache-control` of an answer that belongs to one user: never for shared caches (RFC 9111 section 5.2.2.7), otherwise what the
 * API said. When it said nothing, storing is allowed only where each use is checked with the API again.
 */
export function privateCacheControl(facts: CachingFacts): string {
  if (facts.cacheControl === undefined) {
    if (facts.hasExpires) return 'private'
    return facts.hasValidator ? 'private, no-cache' : 'no-store'
  }
  const directives = splitQuotedList(facts.cacheControl)
  if (directives === undefined) return 'no-store'
  return [...directives.filter(isForOneUser), 'private'].join(', ')
}

/** `private="field"` protects that field only, so it makes way for a plain `private`. */
function isForOneUser(directive: string): boolean {
  const name = directive.split('=', 1)[0]?.trim().toLowerCase()
  return name !== 'public' && name !== 's-maxage' && name !== 'private'
}

/** `vary` with `Cookie` added (RFC 9110 section 12.5.5). */
export function varyByCookie(upstreamVary: string | undefined): string {
  if (upstreamVary === undefined || upstreamVary.trim() === '') return 'Cookie'
  const names = upstreamVary.split(',').map((name) => name.trim().toLowerCase())
  if (names.includes('*')) return '*'
  return names.includes('cookie') ? upstreamVary : `${upstreamVary}, Cookie`
}
