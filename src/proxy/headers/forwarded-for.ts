import type { LimitedRequest } from '../../http/limits/limited-request.ts'

/**
 * The addresses that a request came from, the client's first: those that trusted proxies vouch for (`TRUST_PROXY`), and the
 * peer's own. What an untrusted client wrote into `x-forwarded-for` is not among them.
 */
export function forwardedFor({ ips, raw }: Pick<LimitedRequest, 'ips' | 'raw'>): string {
  if (ips !== undefined)
    return ips
      .map((address) => plainAddress(address))
      .reverse()
      .join(', ')
  return plainAddress(raw.socket.remoteAddress)
}

/** IPv4 addresses of dual-stack sockets in their usual form; for none the word of RFC 7239 section 6.2. */
function plainAddress(address = 'unknown'): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}
