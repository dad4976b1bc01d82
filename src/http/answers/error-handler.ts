import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { createFirstTimes } from '../../basics/first-times.ts'
import type { ErrorCode } from '../../errors/codes.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import { problemRules } from '../../errors/problem.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import type { WatchOutcome } from '../server/request-log.ts'
import type { ErrorAnswers } from './error-answer.ts'
import type { HeaderFields } from './security-headers.ts'

/** What error handling needs. */
export interface ErrorHandlingContext {
  readonly errorAnswers: ErrorAnswers
  readonly telemetry: Telemetry
}

/** Answers a request that no route matched, or returns `undefined` to leave it at 404. */
export type NotFoundFallback = (request: FastifyRequest, reply: FastifyReply) => FastifyReply | undefined

/**
 * Makes every failure of a request one answer and one log line, and everything unknown a 404.
 *
 * @param fallback what may answer instead of the 404: the app's start page
 */
export function installErrorHandling(
  app: FastifyInstance,
  context: ErrorHandlingContext,
  fallback?: NotFoundFallback,
): void {
  app.setErrorHandler(function answerError(thrown: unknown, request, reply) {
    const length = unsatisfiedRange(thrown)
    if (length !== undefined) return reply.code(rangeNotSatisfiable).header('content-range', length).send()
    const error = toGatewayError(thrown)
    // An address whose length no file can have is found to be no file in this way.
    const shown = error.code === 'not_found' ? fallback?.(request, reply) : undefined
    return shown ?? sendError(context, error, request, reply)
  })
  app.setNotFoundHandler(function answerNotFound(request, reply) {
    return fallback?.(request, reply) ?? sendError(context, new GatewayError('not_found'), request, reply)
  })
}

const rangeNotSatisfiable = 416

/** The `content-range` of a file of the app that is shorter than what was asked of it (RFC 9110 section 15.5.17). */
function unsatisfiedRange(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('statusCode' in thrown) || !('headers' in thrown)) return undefined
  if (thrown.statusCode !== rangeNotSatisfiable) return undefined
  return (thrown.headers as Readonly<Record<string, string>>)['Content-Range']
}

/** Answers with an error and reports it. A body that is still coming is not waited for. */
export function sendError(
  context: ErrorHandlingContext,
  error: GatewayError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  reportError(context.telemetry, error, request.id)
  if (error.context.reason === 'foreign_origin') tellOfOtherOrigin(context.telemetry, request)
  const { status, headers, body } = context.errorAnswers.render(error, request)
  return reply.code(status).headers(headers).send(body)
}

/** More are not told of: whoever makes them up shall not fill the log. */
const mostOrigins = 5
const isFirstOrigin = createFirstTimes<Telemetry, string>(mostOrigins)

/** A browser itself says that the page is of the origin that it asks, so BASE_URL must be another than what stands in the address bar. */
function tellOfOtherOrigin(telemetry: Telemetry, { headers }: FastifyRequest): void {
  const { origin: untrustedOrigin = '' } = headers
  if (headers['sec-fetch-site'] !== 'same-origin') return
  if (!isFirstOrigin(telemetry, untrustedOrigin)) return
  telemetry.log.warn(
    {
      origin: untrustedOrigin.slice(0, longestOrigin),
      remedy: 'Set BASE_URL to the address that browsers show, scheme and port as well.',
    },
    'our own pages are refused: browsers reach us under another origin than that of BASE_URL',
  )
}

/** Characters: the longest host name and some more. */
const longestOrigin = 300

/** Fastify's `frameworkErrors`: for requests that fail before routing, such as a path that cannot be decoded. No hook runs for them. */
export function createFrameworkErrorHandler(
  context: ErrorHandlingContext & {
    readonly transportHeaders: HeaderFields
    readonly outcomes: WatchOutcome | undefined
  },
) {
  return function answerFrameworkError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
    context.outcomes?.(request, reply)
    reply.headers(context.transportHeaders)
    sendError(context, toGatewayError(thrown), request, reply)
  }
}

const firstServerStatus = 500

/**
 * Writes the one line about a failure. What is the client's own doing is for debugging only; refusals are audited; what is the
 * operator's to mend is a warning, and what nobody foresaw an error.
 */
export function reportError(telemetry: Telemetry, error: GatewayError, requestId: string): void {
  const { status } = problemRules[error.code]
  const facts = { requestId, code: error.code, ...error.context }
  telemetry.metrics.problem(error.code)
  if (error.code === 'internal_error') telemetry.log.error({ ...facts, err: error.cause }, error.code)
  else if (status >= firstServerStatus) telemetry.log.warn(facts, error.code)
  else if ('duplicateCookie' in error.context) telemetry.log.warn(facts, error.code)
  else if (error.code === 'csrf_rejected') {
    const { reason } = error.context
    const why = typeof reason === 'string' ? { reason } : {}
    telemetry.audit.event('request.refused', { requestId, code: error.code, ...why })
  } else telemetry.log.debug(facts, error.code)
}

const codeOfFastifyError: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_BAD_URL: 'request_target_rejected',
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
}

const codeOfStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'request_invalid',
  403: 'not_found',
  404: 'not_found',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  429: 'rate_limited',
  431: 'headers_too_large',
}

/** Whatever was thrown, as an error that has a code. Messages of foreign errors never reach the client. */
export function toGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown
  const { code, statusCode } = (thrown ?? {}) as { readonly code?: unknown; readonly statusCode?: unknown }
  const known =
    (typeof code === 'string' ? codeOfFastifyError[code] : undefined) ??
    (typeof statusCode === 'number' ? codeOfStatus[statusCode] : undefined)
  return new GatewayError(known ?? 'internal_error', { cause: thrown })
}
