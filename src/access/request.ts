import type { IncomingHttpHeaders } from 'node:http'
import { GatewayError } from '../errors/gateway-error.ts'
import { type CsrfPolicy, csrfError, csrfRefusal, handshakeRefusal } from '../http/guards/csrf-guard.ts'
import type { LimitedRequest } from '../http/limits/limited-request.ts'
import type { AccessRules } from './rules.ts'
import { upstreamTarget } from './target.ts'

/** A request as the decision sees it; one of Fastify's is such a one. Everything in it is the client's word. */
export interface AccessRequest extends LimitedRequest {
  readonly method: string
  readonly headers: IncomingHttpHeaders & { readonly 'x-csrf'?: string | string[] | undefined }
  readonly raw: LimitedRequest['raw'] & { readonly url?: string | undefined }
  /** Whose request it is, as soon as that is known: for the log, however the request ends. */
  caller: { readonly sessionRef: string; readonly userRef: string } | null
}

/**
 * What can be said of a request before anybody knows whose it is. Returns the upstream's target.
 *
 * @param isWebSocket the request is a handshake, for which the guard has a rule of its own
 * @throws GatewayError `request_target_rejected`, `method_not_allowed`, `request_invalid`, `payload_too_large`, `csrf_rejected`
 */
export function checkRequest(
  request: AccessRequest,
  rules: AccessRules,
  csrf: CsrfPolicy,
  isWebSocket: boolean,
): string {
  const target = upstreamTarget(request.raw.url ?? '', rules.target)
  if (target === undefined) throw new GatewayError('request_target_rejected')
  if (!rules.methods.has(request.method)) {
    throw new GatewayError('method_not_allowed', { headers: { allow: rules.allow } })
  }
  const { headers } = request
  if (headers['service-worker'] !== undefined && !rules.isApp) throw serviceWorkerRefused()
  if (Number(headers['content-length'] ?? 0) > rules.bodyLimitBytes) {
    throw new GatewayError('payload_too_large')
  }
  if (rules.isGuarded) checkOrigin(request, csrf, isWebSocket)
  return target
}

/** A worker from an API's path would control part of our origin, whatever the API means by it. */
function serviceWorkerRefused(): GatewayError {
  return new GatewayError('request_invalid', { detail: 'A service worker cannot be loaded from here.' })
}

function checkOrigin({ headers }: AccessRequest, policy: CsrfPolicy, isWebSocket: boolean): void {
  const refusal = (isWebSocket ? handshakeRefusal : csrfRefusal)(headers, policy)
  if (refusal !== undefined) throw csrfError(refusal)
}
