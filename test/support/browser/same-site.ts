import type { SameSiteContext } from './browser-cookies.ts'

/**
 * The site of an origin: scheme and registrable domain. Addresses and `localhost` are sites of their own, ports do not count. Test
 * hosts end in one label (`app.example.test` belongs to `example.test`), so no public suffix list is needed.
 */
export function siteOf(origin: string | URL): string {
  const { protocol, hostname } = new URL(origin)
  const isAddress = /^[\d.]+$/.test(hostname) || hostname.startsWith('[')
  const domain = isAddress ? hostname : hostname.split('.').slice(-2).join('.')
  return `${protocol}//${domain}`
}

/**
 * Which cookies go along (RFC 6265bis section 5.2, with the redirect chain counted as the draft says): `strict` when every
 * address of the way and the page that began it are of one site, `lax` for other top-level navigations by a safe method.
 */
export function sameSiteContext(
  chain: readonly URL[],
  initiator: string | undefined,
  method: string,
): SameSiteContext {
  const sites = new Set([...chain, ...(initiator === undefined ? [] : [initiator])].map(siteOf))
  if (sites.size === 1) return 'strict'
  return method === 'GET' || method === 'HEAD' ? 'lax' : 'none'
}

/** The value of `Sec-Fetch-Site` (Fetch Metadata section 2.3): the whole redirect chain counts. */
export function fetchSite(chain: readonly URL[], initiator: string | undefined): string {
  if (initiator === undefined) return 'none'
  const from = new URL(initiator)
  if (chain.every((url) => url.origin === from.origin)) return 'same-origin'
  return chain.every((url) => siteOf(url) === siteOf(from)) ? 'same-site' : 'cross-site'
}
