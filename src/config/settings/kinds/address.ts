import { isIP } from 'node:net'
import { posix, resolve } from 'node:path'
import { type Parser, ValueFault } from '../setting.ts'

/** A machine and a port of it. */
export interface HostAndPort {
  readonly host: string
  readonly port: number
}

/** As an address is written: an IPv6 one has brackets. */
export function authorityOf({ host, port }: HostAndPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Whether a URL's host is this machine: the only place where plain http is allowed. */
export function isLoopback(url: URL): boolean {
  return isLoopbackHost(url.hostname)
}

/** The same for a host alone, an IPv6 address with or without its brackets. */
export function isLoopbackHost(host: string): boolean {
  return /^(?:(?:.+\.)?localhost|\[?::1\]?|127(?:\.\d+){3})$/i.test(host)
}

/**
 * Reads a URL.
 *
 * @param protocols those that are taken, colons included
 * @throws ValueFault
 */
export function parseUrl(untrusted: string, protocols: readonly string[]): URL {
  const url = URL.parse(untrusted)
  if (url === null || !protocols.includes(url.protocol)) {
    throw new ValueFault(`must be a URL that begins with ${protocols.map((one) => `${one}//`).join(' or ')}`)
  }
  return url
}

/** A name or an IPv4 address without a dot at its end, or an IPv6 address in brackets; then perhaps a port. ASCII, nothing else. */
const plainAuthority = /^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?$/

/** Whether an authority in small letters is one that everybody reads in the same way: a `Host` that chooses must be. */
export function isPlainAuthority(lowerCase: string): boolean {
  return plainAuthority.test(lowerCase)
}

function refuseExtras(url: URL): void {
  if (url.username !== '' || url.password !== '') throw new ValueFault('must not hold a user or password')
  if (url.search !== '' || url.hash !== '') throw new ValueFault('must not have a query or fragment')
}

function refusePlainHttp(url: URL): void {
  if (url.protocol !== 'https:' && !isLoopback(url)) {
    throw new ValueFault('must be https (plain http is for loopback only)')
  }
}

/** The issuer identifier (OpenID Connect Discovery 1.0 section 3), exactly as written: a final slash matters. */
export const issuer: Parser<string> = (untrusted) => {
  const url = parseUrl(untrusted, ['https:', 'http:'])
  refuseExtras(url)
  refusePlainHttp(url)
  if (url.pathname.includes('/.well-known/')) {
    throw new ValueFault('must be the issuer itself, without /.well-known/… at its end')
  }
  return untrusted
}

/** Where browsers find a gateway: scheme, host, port, and perhaps a path, which is kept without a slash at its end. */
export const publicUrl: Parser<URL> = (untrusted) => {
  const url = parseUrl(untrusted, ['https:', 'http:'])
  refuseExtras(url)
  refusePlainHttp(url)
  const path = url.pathname.replace(/\/$/, '')
  // As it is written too: the parser resolves dot segments, and takes a backslash for a slash.
  const written = /^[^/]+\/\/[^/]*(.*)$/.exec(untrusted)?.[1]?.replace(/\/$/, '')
  if (written !== path || (path !== '' && !isPlainPath(path))) {
    throw new ValueFault('must have no path, or one of plain segments: letters, digits, - . _ and ~')
  }
  url.pathname = path
  return url
}

/** The path of {@link publicUrl}, `''` for none. */
export function pathOf(url: URL): string {
  return url.pathname.replace(/\/$/, '')
}

/** The base URL of an upstream; plain http is allowed, because it is the operator's own network. */
export const upstreamUrl: Parser<URL> = (untrusted) => {
  const url = parseUrl(untrusted, ['https:', 'http:'])
  refuseExtras(url)
  return url
}

/** An origin that the operator's own network has: plain http is allowed. */
export const internalOrigin: Parser<URL> = (untrusted) => {
  const url = upstreamUrl(untrusted)
  if (url.pathname !== '/') throw new ValueFault('must be an origin only: scheme, host and port, no path')
  return url
}

/**
 * What a part of an address means, decoded as whoever connects will decode it.
 *
 * @throws ValueFault when it cannot be
 */
export function decodeEscapes(untrusted: string): string {
  try {
    return decodeURIComponent(untrusted)
  } catch {
    throw new ValueFault('has a % that begins no escape: write a % of a user, password or path as %25')
  }
}

/** A proxy on the way out: `http://` or `https://`, perhaps with user and password; without a scheme http is meant, as everywhere. */
export const proxyUrl: Parser<string> = (untrusted) => {
  const url = parseUrl(/^[a-z][a-z\d+.-]*:\/\//i.test(untrusted) ? untrusted : `http://${untrusted}`, [
    'http:',
    'https:',
  ])
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    throw new ValueFault('must be scheme, host and port only')
  for (const part of [url.username, url.password]) decodeEscapes(part)
  return url.href
}

/** What is reached without a proxy: hosts, `.suffixes`, addresses, networks or `*`; commas or blanks between. */
export const proxyExemptions: Parser<readonly string[]> = (untrusted) =>
  untrusted.split(/[\s,]+/).filter((entry) => entry !== '')

/** A page of the provider that the browser is sent to. */
export const providerPageUrl: Parser<URL> = (untrusted) => {
  const url = parseUrl(untrusted, ['https:', 'http:'])
  refusePlainHttp(url)
  if (url.username !== '' || url.password !== '') throw new ValueFault('must not hold a user or password')
  if (url.hash !== '') throw new ValueFault('must not have a fragment')
  return url
}

/** `host` or `host:port`, an IPv6 address in brackets. */
export function hostAndPort(defaultPort: number): Parser<HostAndPort> {
  return (untrusted) => {
    const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(untrusted)
    const host = parts?.[1] ?? parts?.[2]
    const port = Number(parts?.[3] ?? defaultPort)
    if (host === undefined || port < 1 || port > 65_535) {
      throw new ValueFault('must be host:port, or several separated by commas')
    }
    return { host, port }
  }
}

/** The widest networks that one may still mean: all of 10.0.0.0/8, all unique local IPv6 addresses (fc00::/7). */
const leastPrefixBits = { 4: 8, 6: 7 } as const

/** An address or CIDR network of proxies that are believed. Never everybody. */
export const trustedNetwork: Parser<string> = (untrusted) => {
  const [address = '', bits, ...rest] = untrusted.split('/')
  const family = isIP(address)
  if ((family !== 4 && family !== 6) || rest.length > 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits))) {
    throw new ValueFault('must be addresses or CIDR networks, separated by commas; never a number or "all"')
  }
  const width = Number(bits ?? 128)
  if (bits !== undefined && width > (family === 4 ? 32 : 128))
    throw new ValueFault('has a network that is too narrow')
  if (width < leastPrefixBits[family]) {
    throw new ValueFault('trusts more than a network: anybody could then forge their address')
  }
  return untrusted
}

/** An address or host name to listen on. */
export const listenHost: Parser<string> = (untrusted) => {
  if (isIP(untrusted) === 0 && !/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(untrusted)) {
    throw new ValueFault('must be an address or host name, without scheme and port')
  }
  return untrusted
}

/**
 * A path prefix: whole segments of unreserved characters (RFC 3986 section 2.3), so that no router, upstream or browser can read it in
 * two ways.
 */
export const pathPrefix: Parser<string> = (untrusted) => {
  if (!untrusted.startsWith('/')) throw new ValueFault('must begin with a slash')
  if (untrusted.endsWith('/')) throw new ValueFault('must not end in a slash, and cannot be / alone')
  if (!isPlainPath(untrusted)) {
    throw new ValueFault('must be plain segments of letters, digits, - . _ and ~; no wildcards, no escapes')
  }
  return untrusted
}

function isPlainPath(path: string): boolean {
  const segments = path.slice(1).split('/')
  return segments.every(
    (segment) => /^[A-Za-z0-9._~-]+$/.test(segment) && segment !== '.' && segment !== '..',
  )
}

/** A path prefix, or nothing, which may be written as `/`. */
export const pathPrefixOrNone: Parser<string> = (untrusted) =>
  untrusted === '' || untrusted === '/' ? '' : pathPrefix(untrusted)

/** A path in the file system, made absolute. */
export const filePath: Parser<string> = (untrusted) => resolve(untrusted)

/** A folder within another one, without a slash at its end; `.` is that one itself. */
export const folderPath: Parser<string> = (untrusted) => {
  const path = posix.normalize(untrusted).replace(/\/$/, '')
  if (path.startsWith('/') || path.startsWith('..')) throw new ValueFault('must lie within the folder')
  return path
}

/** A proxy without what opens it. */
export function maskProxyUrl(text: string): string {
  const { protocol, username, password, host } = new URL(proxyUrl(text))
  return `${protocol}//${username === '' && password === '' ? '' : '********@'}${host}`
}
