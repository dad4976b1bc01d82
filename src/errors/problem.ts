import type { ErrorCode } from './codes.ts'
import type { GatewayError } from './gateway-error.ts'

/** How a code is answered: its HTTP status, its title, and what a person should be told when the error says nothing itself. */
export interface ProblemRule {
  readonly status: number
  readonly title: string
  readonly detail: string
  /** Default `Retry-After` in whole seconds, for codes that are worth repeating. */
  readonly retryAfterSeconds?: number
}

/** The rule of every code. A code without a rule does not compile. */
export const problemRules: Readonly<Record<ErrorCode, ProblemRule>> = {
  session_missing: { status: 401, title: 'Not signed in', detail: 'Sign in to use this.' },
  session_expired: {
    status: 401,
    title: 'Session ended',
    detail: 'Your session has ended. Sign in again to go on.',
  },
  refresh_refused: {
    status: 401,
    title: 'Session ended by the identity provider',
    detail: 'The identity provider did not extend your session. Sign in again to go on.',
  },
  step_up_required: {
    status: 401,
    title: 'Stronger sign-in required',
    detail: 'This action asks for a fresh or stronger sign-in. Your session is kept.',
  },
  device_proof_missing: {
    status: 401,
    title: 'Device not proven',
    detail:
      'This session is bound to the device that it began on, and the request did not prove that it comes from there. Your session is kept.',
  },
  csrf_rejected: {
    status: 403,
    title: 'Request refused',
    detail:
      'The request did not prove that it comes from this application. Send it from a page of the same origin, or with the header X-CSRF: 1. A service worker that re-issues requests is a usual cause.',
  },
  forbidden: {
    status: 403,
    title: 'Not permitted',
    detail: 'This address asks for rights that you do not have.',
  },
  token_refused: {
    status: 403,
    title: 'Access to this API refused',
    detail: 'The identity provider grants no access to this API. Your session is kept.',
  },
  bearer_invalid: {
    status: 401,
    title: 'Access token missing or invalid',
    detail: 'This address wants a valid access token for it.',
  },
  ambiguous_credentials: {
    status: 400,
    title: 'Two kinds of credentials',
    detail: 'A request has a session cookie or an Authorization header, not both.',
  },
  login_refused: {
    status: 400,
    title: 'Sign-in refused',
    detail: 'The answer of the identity provider failed a security check, so no session was made.',
  },
  login_denied: {
    status: 403,
    title: 'Sign-in not completed',
    detail: 'The identity provider did not complete the sign-in.',
  },
  login_state_invalid: {
    status: 400,
    title: 'Sign-in expired or unknown',
    detail:
      'This sign-in cannot be matched to one started in this browser. Usual causes: it was started under another host name, cookies are blocked, it was already completed, or it is older than 10 minutes.',
  },
  return_to_invalid: {
    status: 400,
    title: 'Invalid return address',
    detail: 'The returnTo parameter must be a path of this application.',
  },
  request_target_rejected: {
    status: 400,
    title: 'Request target refused',
    detail: 'The path of this request is ambiguous or malformed.',
  },
  misdirected_request: {
    status: 421,
    title: 'No such host here',
    detail: 'This host, or this path of it, is not served here. Compare the address with BASE_URL.',
  },
  access_token_unusable: {
    status: 502,
    title: 'Access token unusable',
    detail: 'The identity provider issued an access token that the API cannot use.',
  },
  provider_rejected: {
    status: 502,
    title: 'Identity provider rejected the gateway',
    detail:
      'The identity provider refused the gateway itself. This is a fault of its configuration, not yours.',
  },
  provider_unavailable: {
    status: 503,
    title: 'Identity provider unavailable',
    detail: 'The identity provider does not answer at the moment. Your session is kept.',
    retryAfterSeconds: 2,
  },
  session_store_unavailable: {
    status: 503,
    title: 'Session store unavailable',
    detail: 'Sessions cannot be read at the moment. You are not signed out.',
    retryAfterSeconds: 2,
  },
  overloaded: {
    status: 503,
    title: 'Overloaded',
    detail: 'The gateway is busy. Try again in a moment.',
    retryAfterSeconds: 1,
  },
  draining: {
    status: 503,
    title: 'Restarting',
    detail: 'This instance is shutting down. Try again.',
    retryAfterSeconds: 1,
  },
  upstream_unreachable: {
    status: 502,
    title: 'API unreachable',
    detail: 'The API did not answer. Your session is kept.',
  },
  upstream_redirect_refused: {
    status: 502,
    title: 'API redirect refused',
    detail: 'The API answered with a redirect to another host, which this route does not allow.',
  },
  upstream_timeout: {
    status: 504,
    title: 'API timed out',
    detail: 'The API took too long to answer. Your session is kept.',
  },
  upstream_nonce: {
    status: 503,
    title: 'API asked for a new proof',
    detail: 'The API asked for a new proof of possession and did not act on the request. Repeat it.',
    retryAfterSeconds: 1,
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    detail: 'Too many requests. Try again in a moment.',
    retryAfterSeconds: 1,
  },
  request_timeout: {
    status: 408,
    title: 'Request too slow',
    detail: 'The request did not come in time. Send it again over a better connection.',
  },
  request_invalid: {
    status: 400,
    title: 'Invalid request',
    detail: 'A parameter of the request is malformed.',
  },
  not_found: { status: 404, title: 'Not found', detail: 'There is nothing at this address.' },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    detail: 'This address does not answer that method.',
  },
  payload_too_large: {
    status: 413,
    title: 'Body too large',
    detail: 'The body of the request is too large.',
  },
  headers_too_large: {
    status: 431,
    title: 'Headers too large',
    detail: 'The headers of the request are too large.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    detail: 'The body of the request has a type that this address does not read.',
  },
  internal_error: {
    status: 500,
    title: 'Internal error',
    detail: 'Something went wrong in the gateway. The request id helps the operator to find out what.',
  },
}

/** An RFC 9457 problem document. */
export interface ProblemDocument {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance: string
  readonly code: ErrorCode
  readonly [extension: string]: string | number | boolean
}

/**
 * Renders an error as a problem document (RFC 9457 section 3.1).
 *
 * @param error the failure; its `context` and `cause` never reach the document
 * @param requestId the id of the request, which becomes `instance`
 */
export function toProblemDocument(error: GatewayError, requestId: string): ProblemDocument {
  const rule = problemRules[error.code]
  return {
    ...error.extensions,
    type: `urn:coatcheck:problem:${error.code}`,
    title: rule.title,
    status: error.status ?? rule.status,
    detail: error.detail ?? rule.detail,
    instance: `urn:coatcheck:request:${requestId}`,
    code: error.code,
  }
}

/** Whole seconds for `Retry-After`, or `undefined` when a repeat would not help. */
export function retryAfterSeconds(error: GatewayError): number | undefined {
  return error.retryAfterSeconds ?? problemRules[error.code].retryAfterSeconds
}
