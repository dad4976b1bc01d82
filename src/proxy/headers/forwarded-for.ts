import type { FastifyRequest } from 'fastify'

/**
 * The addresses that a request came from, the client's first: those that trusted proxies vouch for (`TRUST_PROXY`), and the
 * peer's own. What an untrusted client wrote into `x-forwarded-for` is not among them.
 */
export function forwardedFor(request: FastifyRequest): string {
  // A peer that came by no network has no address, whatever their type says.
  const ips: readonly (string | undefined)[] | undefined = request.ips
  if (ips !== undefined)
    return ips
      .map((address) => plainAddress(address))
      .reverse()
      .join(', ')
  return plainAddress(request.raw.socket.remoteAddress)
}

/** IPv4 addresses of dual-stack sockets in their usual form; for none the word of RFC 7239 section 6.2. */
function plainAddress(address = 'unknown'): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}
