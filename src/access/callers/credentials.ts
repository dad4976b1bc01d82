import type { IncomingHttpHeaders } from 'node:http'

/** With what a request identifies itself on a route that takes tokens (DESIGN-2 section 6.2). */
export type Credentials =
  | { readonly kind: 'bearer'; readonly scheme: 'bearer' | 'dpop'; readonly untrustedToken: string }
  /** An `Authorization` of another kind, or one that cannot be read. */
  | { readonly kind: 'unreadable' }
  /** A cookie of ours and `Authorization`: whose request it is nobody can say. */
  | { readonly kind: 'ambiguous' }
  /** Our cookie, or nothing. */
  | { readonly kind: 'cookie' }

const cookie: Credentials = { kind: 'cookie' }
const ambiguous: Credentials = { kind: 'ambiguous' }
const unreadable: Credentials = { kind: 'unreadable' }

const tokenForm = /^(bearer|dpop) +([A-Za-z0-9\-._~+/]+=*) *$/i

/**
 * Reads what a request brought. Node keeps the first of several `Authorization` lines and drops the others, so the raw list decides.
 *
 * @param isGatewayCookie whether a cookie's name is one of ours
 */
export function credentialsOf(
  headers: IncomingHttpHeaders,
  untrustedRawHeaders: readonly string[] | undefined,
  isGatewayCookie: (untrustedName: string) => boolean,
): Credentials {
  const { authorization } = headers
  if (authorization === undefined) return cookie
  if (headers.cookie !== undefined && holdsOurs(headers.cookie, isGatewayCookie)) return ambiguous
  if (untrustedRawHeaders !== undefined && isRepeated(untrustedRawHeaders)) return unreadable
  const [, scheme, untrustedToken] = tokenForm.exec(authorization) ?? []
  if (scheme === undefined || untrustedToken === undefined) return unreadable
  return { kind: 'bearer', scheme: scheme.toLowerCase() === 'dpop' ? 'dpop' : 'bearer', untrustedToken }
}

function holdsOurs(untrustedCookies: string, isGatewayCookie: (untrustedName: string) => boolean): boolean {
  return untrustedCookies.split(';').some((pair) => isGatewayCookie((pair.split('=')[0] ?? '').trim()))
}

const nameLength = 'authorization'.length

function isRepeated(untrustedRawHeaders: readonly string[]): boolean {
  let count = 0
  for (let at = 0; at < untrustedRawHeaders.length; at += 2) {
    const name = untrustedRawHeaders[at]
    if (name?.length === nameLength && name.toLowerCase() === 'authorization') count += 1
  }
  return count > 1
}
