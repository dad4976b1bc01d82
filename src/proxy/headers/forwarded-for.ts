import type { FastifyRequest } from 'fastify'

/**
 * The addresses that a request came from, the client's first: those that trusted proxies vouch for (`TRUST_PROXY`), and the
 * peer's own. What an untrusted client wrote into `x-forwarded-for` is not among them.
 */
export function forwardedFor(request: FastifyRequest): string {
  const { ips } = request
  if (ips !== undefined) return ips.map(plainAddress).reverse().join(', ')
  return plainAddress(request.raw.socket.remoteAddress ?? 'unknown')
}

/** IPv4 addresses of dual-stack sockets in their usual form. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}
