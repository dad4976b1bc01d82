import type { ErrorCode } from '../../errors/codes.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { NoPlace } from '../calls/in-flight.ts'

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

/** What a browser is told that gets no place on a route. */
export function noPlace(why: NoPlace, route: string): GatewayError {
  if (why === 'full') return new GatewayError('overloaded', { context: { route } })
  return new GatewayError('rate_limited', {
    detail: 'Too many requests, streams and WebSockets of this session are open at once.',
    context: { route },
  })
}

/** The route whose upstream failed. */
interface FailedRoute {
  readonly config: { readonly prefix: string; readonly upstream: URL }
  /** It leads to the app's development server. */
  readonly isApp: boolean
}

/** What a failed exchange with an upstream means to the browser. */
export function toUpstreamError(error: unknown, route: FailedRoute): GatewayError {
  if (error instanceof GatewayError) return error
  const reason = reasonOf(error)
  const code = codeOf[reason] ?? 'upstream_unreachable'
  if (route.isApp && code === 'upstream_unreachable') return devServerDown(reason, route)
  return new GatewayError(code, { context: { reason, route: route.config.prefix } })
}

/** The developer is told, and the page tries again by itself. */
function devServerDown(reason: string, { config }: FailedRoute): GatewayError {
  return new GatewayError('upstream_unreachable', {
    detail: `${devServerAdvice(config.upstream)} This page tries again by itself.`,
    context: { reason, route: 'SPA_URL' },
    headers: { refresh: '2' },
  })
}

/** What to do about a development server that does not listen. */
export const devServerAdvice = (spaUrl: URL): string =>
  `The development server at SPA_URL (${spaUrl.origin}) is not running. Start it, for example: npm run dev.`
