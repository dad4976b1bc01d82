import type { ErrorCode } from '../../errors/codes.ts'
import { GatewayError } from '../../errors/gateway-error.ts'

/** undici's and the system's error codes that do not mean "unreachable". */
const codeOf: Readonly<Record<string, ErrorCode>> = {
  UND_ERR_CONNECT_TIMEOUT: 'upstream_timeout',
  UND_ERR_HEADERS_TIMEOUT: 'upstream_timeout',
  UND_ERR_BODY_TIMEOUT: 'upstream_timeout',
  ETIMEDOUT: 'upstream_timeout',
  UND_ERR_INVALID_ARG: 'request_invalid',
  UND_ERR_NOT_SUPPORTED: 'request_invalid',
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: 'request_invalid',
  UND_ERR_DESTROYED: 'draining',
  UND_ERR_CLOSED: 'draining',
}

/** The error's code, for logs: messages and causes of connection errors hold addresses. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

/** What a failed exchange with an upstream means to the browser. */
export function toUpstreamError(error: unknown, route: string): GatewayError {
  if (error instanceof GatewayError) return error
  const reason = reasonOf(error)
  return new GatewayError(codeOf[reason] ?? 'upstream_unreachable', { context: { reason, route } })
}
