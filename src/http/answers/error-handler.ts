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

/** Answers a request that no route matched; resolves to false, having done nothing, to leave it at 404. Never rejects. */
export type NotFoundFallback = (request: FastifyRequest, reply: FastifyReply) => Promise<boolean>

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
    const refusal = refusalOfFile(thrown)
    if (refusal !== undefined) return reply.code(refusal.status).headers(refusal.headers).send()
    const error = toGatewayError(thrown)
    if (error.code !== 'not_found') return sendError(context, error, request, reply)
    // An address whose length no file can have is found to be no file in this way.
    answerUnknown(error, request, reply)
    return undefined
  })
  app.setNotFoundHandler(function answerNotFound(request, reply) {
    answerUnknown(new GatewayError('not_found'), request, reply)
  })
  // Nothing is returned: the framework would wait for the reply once more, with listeners of its own.
  function answerUnknown(error: GatewayError, request: FastifyRequest, reply: FastifyReply): void {
    if (fallback === undefined) sendError(context, error, request, reply)
    else
      void fallback(request, reply).then((isAnswered) => {
        if (!isAnswered) sendError(context, error, request, reply)
      })
  }
}

/** RFC 9110 sections 15.5.13 and 15.5.17. */
const preconditionFailed = 412
const rangeNotSatisfiable = 416

/** The answer for a file of the app that does not meet the request's condition, or is shorter than what was asked of it. */
function refusalOfFile(
  thrown: unknown,
): { readonly status: number; readonly headers: HeaderFields } | undefined {
  if (!(thrown instanceof Error) || !('statusCode' in thrown)) return undefined
  if (thrown.statusCode === preconditionFailed) return { status: preconditionFailed, headers: {} }
  if (thrown.statusCode !== rangeNotSatisfiable || !('headers' in thrown)) return undefined
  const length = (thrown.headers as Readonly<Record<string, string>>)['Content-Range']
  return length === undefined
    ? undefined
    : { status: rangeNotSatisfiable, headers: { 'content-range': length } }
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
  if (headers['sec-fetch-site'] !== 'same-origin' || isProbe(untrustedOrigin)) return
  if (!isFirstOrigin(telemetry, untrustedOrigin)) return
  telemetry.log.warn(
    {
      origin: untrustedOrigin.slice(0, longestOrigin),
      remedy: 'Set BASE_URL to the address that browsers show, scheme and port as well.',
    },
    'our own pages are refused: browsers reach us under another origin than that of BASE_URL',
  )
}

/** `coatcheck doctor` asks so while the gateway runs: no page can be of such a name (RFC 6761 section 6.4). */
function isProbe(untrustedOrigin: string): boolean {
  return untrustedOrigin.endsWith('.invalid')
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
