/**
 * The closed set of problem codes (the `code` of every problem document). Codes are a public contract: clients switch on
 * them, so none is ever renamed or reused with another meaning.
 */
export const errorCodes = [
  'session_missing',
  'session_expired',
  'refresh_refused',
  'step_up_required',
  'csrf_rejected',
  'forbidden',
  'token_refused',
  'bearer_invalid',
  'device_proof_missing',
  'ambiguous_credentials',
  'login_refused',
  'login_denied',
  'login_state_invalid',
  'return_to_invalid',
  'request_target_rejected',
  'misdirected_request',
  'access_token_unusable',
  'provider_rejected',
  'provider_unavailable',
  'session_store_unavailable',
  'overloaded',
  'draining',
  'upstream_unreachable',
  'upstream_redirect_refused',
  'upstream_timeout',
  'upstream_nonce',
  'rate_limited',
  'request_timeout',
  'request_invalid',
  'not_found',
  'method_not_allowed',
  'payload_too_large',
  'headers_too_large',
  'unsupported_media_type',
  'internal_error',
] as const

/** One of the stable problem codes. */
export type ErrorCode = (typeof errorCodes)[number]
