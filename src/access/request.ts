import type { IncomingHttpHeaders } from 'node:http'
import { GatewayError } from '../errors/gateway-error.ts'
import {
  type CsrfPolicy,
  type CsrfRefusal,
  csrfError,
  csrfRefusal,
  handshakeRefusal,
} from '../http/guards/csrf-guard.ts'
import { announcedBytes } from '../http/lifetime/body.ts'
import type { LimitedRequest } from '../http/limits/limited-request.ts'
import type { AccessRules } from './rules/rules.ts'
import { upstreamTarget } from './target.ts'

/** A request as the decision sees it, whether it is carried or only asked about. Everything in it is the client's word. */
export interface AccessRequest extends LimitedRequest {
  readonly method: string
  readonly headers: IncomingHttpHeaders & { readonly 'x-csrf'?: string | string[] | undefined }
  readonly raw: LimitedRequest['raw'] & {
    readonly url?: string | undefined
    readonly rawHeaders?: readonly string[]
  }
  /** It comes from a proxy that carries pages too, and is a navigation to one: those pass the guard, whatever link led there. */
  readonly isPage?: boolean
  /** Whose request it is, as soon as that is known: for the log, however the request ends. */
  caller: { readonly sessionRef: string; readonly userRef: string } | null
}

/**
 * What can be said of a request before anybody asks whose it is. Returns the upstream's target.
 *
 * @throws GatewayError `request_target_rejected`, `method_not_allowed`, `request_invalid`, `payload_too_large`
 */
export function checkForm(request: AccessRequest, rules: AccessRules): string {
  const target = upstreamTarget(request.raw.url ?? '', rules.target)
  if (target === undefined) throw new GatewayError('request_target_rejected')
  if (!rules.methods.has(request.method)) {
    throw new GatewayError('method_not_allowed', { headers: { allow: rules.allow } })
  }
  const { headers } = request
  if (headers['service-worker'] !== undefined && !rules.isApp) throw serviceWorkerRefused()
  if ((announcedBytes(request) ?? 0) > rules.bodyLimitBytes) throw new GatewayError('payload_too_large')
  return target
}

/** A worker from an API's path would control part of our origin, whatever the API means by it. */
function serviceWorkerRefused(): GatewayError {
  return new GatewayError('request_invalid', { detail: 'A service worker cannot be loaded from here.' })
}

/** Whether a request proves that it comes from a page of ours; for handshakes there is a rule of their own. */
export function originRefusal(
  { headers, isPage }: AccessRequest,
  policy: CsrfPolicy,
  isWebSocket: boolean,
): CsrfRefusal | undefined {
  if (isPage === true) return undefined
  return (isWebSocket ? handshakeRefusal : csrfRefusal)(headers, policy)
}

/** @throws GatewayError `csrf_rejected` */
export function expectOurOrigin(request: AccessRequest, policy: CsrfPolicy, isWebSocket: boolean): void {
  const refusal = originRefusal(request, policy, isWebSocket)
  if (refusal !== undefined) throw csrfError(refusal)
}
