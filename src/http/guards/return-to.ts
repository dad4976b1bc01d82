import { Buffer } from 'node:buffer'
import { isBeneath } from '../../basics/path-prefix.ts'

/** Longest return address, bytes of its serialised form: it travels in a cookie. */
export const maxReturnToBytes = 2_048

/** How often a path is decoded while looking for what it hides; nobody escapes an escape more often for a good reason. */
const maxDecodings = 4

/** What a return address is judged by. */
export interface ReturnToRules {
  readonly baseUrl: URL
  /** The path of `BASE_URL`, which every return address lies beneath; `''` for none. */
  readonly basePath: string
  /** Lower-case paths that no navigation may return to, nor anything beneath them: proxied prefixes and our own endpoints. */
  readonly reservedPaths: readonly string[]
}

/**
 * Turns what a browser asked to return to into a path of this origin, or `undefined` when it may not be returned to. The result
 * is the start page where it was too long, and else resolves to the same address wherever it is parsed: it never begins with two slashes.
 */
export function resolveReturnTo(untrusted: string, rules: ReturnToRules): string | undefined {
  // Whoever was deep in the app signs in all the same; nothing of it is looked at.
  if (Buffer.byteLength(untrusted) > maxReturnToBytes) return `${rules.basePath}/`
  if (hasControlOrBackslash(untrusted)) return undefined
  const url = URL.parse(untrusted, rules.baseUrl.origin)
  // The scheme too: a blob: address has the origin of the page that made it.
  if (url?.origin !== rules.baseUrl.origin || url.protocol !== rules.baseUrl.protocol) return undefined
  if (url.username !== '' || url.password !== '') return undefined
  if (!isBeneath(url.pathname, rules.basePath)) return undefined
  if (!isDecodable(url.pathname) || isReservedPath(url.pathname, rules.reservedPaths)) return undefined
  const returnTo = `${url.pathname.startsWith('//') ? '/.' : ''}${url.pathname}${url.search}${url.hash}`
  return Buffer.byteLength(returnTo) > maxReturnToBytes ? `${rules.basePath}/` : returnTo
}

/** Browsers drop some control characters and read a backslash as a slash; other parsers do neither. */
function hasControlOrBackslash(untrusted: string): boolean {
  for (let index = 0; index < untrusted.length; index++) {
    const code = untrusted.charCodeAt(index)
    if (code < 0x20 || code === 0x7f || code === 0x5c) return true
  }
  return false
}

/**
 * Whether a path is a reserved one or lies beneath one, however it is spelt: escaped, escaped twice, with dot segments, empty segments or
 * parameters, in any case. A path that hides control characters or backslashes in escapes counts as reserved.
 */
export function isReservedPath(untrustedPath: string, reservedPaths: readonly string[]): boolean {
  let path = untrustedPath
  for (let round = 0; round <= maxDecodings; round++) {
    const seen = readings(path)
    if (reservedPaths.some((reserved) => seen.some((reading) => isBeneath(reading, reserved)))) return true
    const decoded = decodeBytes(path)
    if (decoded === path) return false
    if (hasControlOrBackslash(decoded)) return true
    path = decoded
  }
  return true
}

/** Decodes each escape by itself, as lenient parsers do; enough to compare with plain paths. */
function decodeBytes(path: string): string {
  if (!path.includes('%')) return path
  return path.replace(/%([0-9a-f]{2})/gi, (_escape, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  )
}

/** Whether the router will be able to read the path. */
function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

/** What some servers allow after `;` in a segment, and strip. */
const pathParameters = /;[^/]*/g

/** The path as different readers take it: a router goes segment by segment, an API may resolve dots, or strip parameters first. */
function readings(path: string): readonly string[] {
  const lower = path.toLowerCase()
  // Without any of these every reader sees the same.
  if (!/;|\/[./]|\/$/.test(lower)) return [lower]
  return [lower, resolveSegments(lower), resolveSegments(lower.replace(pathParameters, ''))]
}

/** The path without empty and dot segments. */
function resolveSegments(path: string): string {
  const resolved: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') resolved.pop()
    else if (segment !== '' && segment !== '.') resolved.push(segment)
  }
  return `/${resolved.join('/')}`
}
