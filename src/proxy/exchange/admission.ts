import type { FastifyRequest } from 'fastify'
import type { AccessToken } from '../../oidc/tokens/token-set.ts'
import type { SessionView } from '../../session/record/session.ts'

/** What the guard found out about a request that it let in. */
export interface Admission {
  /** The target to ask the upstream for. */
  readonly target: string
  readonly sessionId: string | undefined
  /** `undefined` on routes without a session, and for anonymous requests of optional ones. */
  readonly session: SessionView | undefined
  readonly token: AccessToken | undefined
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the guard of a proxied route; `null` everywhere else. */
    admission: Admission | null
  }
}

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
