import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from '../../errors/gateway-error.ts'

/** What a deployment decides about the guard. */
export interface CsrfPolicy {
  /** The origin of `BASE_URL`, serialised. */
  readonly origin: string
  /** `CSRF_HEADER=required`: ask for the header even where `Sec-Fetch-Site` speaks for the request. */
  readonly headerRequired: boolean
}

/** Why a request did not prove that it comes from a page of ours. */
export type CsrfRefusal = 'foreign_origin' | 'foreign_site' | 'header_missing' | 'typed_address'

/** The headers that the rule reads. Node joins repeated ones with a comma, so a repeated one equals nothing here. */
export type CsrfHeaders = Pick<IncomingHttpHeaders, 'origin' | 'sec-fetch-site'> & {
  readonly 'x-csrf'?: string | string[] | undefined
}

/**
 * The rule of DESIGN section 2.4. SameSite cookies are no substitute for it: sibling subdomains and other ports of our host send Strict
 * cookies too.
 *
 * @returns `undefined` when the request may pass
 */
export function csrfRefusal(untrusted: CsrfHeaders, policy: CsrfPolicy): CsrfRefusal | undefined {
  if (untrusted.origin !== undefined && untrusted.origin !== policy.origin) return 'foreign_origin'
  const site = untrusted['sec-fetch-site']
  if (site === 'none') return 'typed_address'
  if (site !== undefined && site !== 'same-origin') return 'foreign_site'
  const isHeaderNeeded = policy.headerRequired || site === undefined
  return isHeaderNeeded && untrusted['x-csrf'] !== '1' ? 'header_missing' : undefined
}

/**
 * The rule for WebSocket handshakes, which cannot carry `X-CSRF` and in most browsers carry no `Sec-Fetch-Site`: the exact `Origin` must
 * be there (RFC 6455 section 10.2).
 */
export function handshakeRefusal(untrusted: CsrfHeaders, policy: CsrfPolicy): CsrfRefusal | undefined {
  if (untrusted.origin !== policy.origin) return 'foreign_origin'
  const site = untrusted['sec-fetch-site']
  return site !== undefined && site !== 'same-origin' ? 'foreign_site' : undefined
}

/** For people who look at an endpoint from outside of the app. */
const typedAddressDetail =
  "This address answers the app's scripts, not the address bar. In the console of a page of the app: await (await fetch(address)).json(). With curl: -H 'X-CSRF: 1'."

/** The error for a refused request. */
export function csrfError(reason: CsrfRefusal): GatewayError {
  const context = { reason }
  return new GatewayError(
    'csrf_rejected',
    reason === 'typed_address' ? { context, detail: typedAddressDetail } : { context },
  )
}

/** An `onRequest` hook that lets only requests of our own pages pass; it comes before anything reads a session. */
export function createCsrfGuard(policy: CsrfPolicy) {
  return function guardAgainstForgery(
    request: FastifyRequest,
    _reply: FastifyReply,
    done: (error?: Error) => void,
  ): void {
    const refusal = csrfRefusal(request.headers, policy)
    if (refusal === undefined) done()
    else done(csrfError(refusal))
  }
}
