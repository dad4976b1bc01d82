import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type FastifyBaseLogger, type FastifyServerOptions, LogController } from 'fastify'
import type { ErrorCode } from '../../errors/codes.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import { problemRules, toProblemDocument } from '../../errors/problem.ts'
import { randomText } from '../../telemetry/random-text.ts'
import type { Logger } from '../../telemetry/telemetry.ts'

/** What the listener is told by the settings. */
export interface ServerSettings {
  /** Addresses or CIDRs whose `X-Forwarded-For` is believed; empty: nobody's. */
  readonly trustProxy: readonly string[]
}

/** All headers of a request together, bytes. Node answers more with an overflow, which becomes 431. */
const maxHeaderBytes = 32 * 1024

/** A client that has not sent its headers after this is cut off (slow loris), milliseconds. */
const headersTimeoutMs = 20_000

/** How often that is looked at, milliseconds. */
const connectionsCheckingIntervalMs = 5_000

/** Idle keep-alive connections of browsers and balancers, milliseconds; above the usual 60 s of balancers in front. */
const keepAliveTimeoutMs = 72_000

const requestIdBytes = 12

/**
 * Options of the Fastify root: everything about connections, request ids and what happens before routing. Bodies have no overall
 * deadline here, because uploads may be long; the proxy cuts off silent ones.
 */
export function createServerOptions(settings: ServerSettings, log: Logger) {
  return {
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    // A logger of its own for each request costs more than the whole guard; what logs about a request names it itself.
    childLoggerFactory: (parent: FastifyBaseLogger) => parent,
    genReqId: newRequestId,
    requestIdHeader: false,
    trustProxy: settings.trustProxy.length === 0 ? false : [...settings.trustProxy],
    // During shutdown requests are still answered, with `Connection: close`: none is lost.
    return503OnClosing: false,
    keepAliveTimeout: keepAliveTimeoutMs,
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false },
    http: {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headersTimeoutMs,
      connectionsCheckingInterval: connectionsCheckingIntervalMs,
      insecureHTTPParser: false,
      // Looked at together with everything else that makes a request plain, so that it is answered in the same way.
      requireHostHeader: false,
    },
    clientErrorHandler: answerClientError,
    exposeHeadRoutes: false,
  } satisfies FastifyServerOptions & { http: object }
}

/** A fresh id for each request; never the client's, which could be forged or reused. */
function newRequestId(): string {
  return randomText(requestIdBytes, 'base64url')
}

const codeOfParserError: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'payload_too_large',
}

/** A connection, and the answer that it is waiting for or in the middle of. */
interface ServerSocket extends Socket {
  readonly _httpMessage?: ServerResponse | null
}

/** Answers what the HTTP parser refused: there is no request yet, so the answer is written by hand. */
function answerClientError(error: Error & { code?: string }, socket: ServerSocket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswerOfAnother(socket)) {
    socket.destroy()
    return
  }
  const detail =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? problemRules.headers_too_large.detail
      : 'The request is not valid HTTP.'
  endWithProblem(
    socket,
    new GatewayError(codeOfParserError[error.code ?? ''] ?? 'request_invalid', { detail }),
  )
}

/** What is written now would be taken for part of an answer that has begun, or for the answer of a request that was in order. */
function isAnswerOfAnother({ _httpMessage: answer }: ServerSocket): boolean {
  if (answer === undefined || answer === null) return false
  return answer.headersSent || answer.req.complete
}

/** Refuses on a connection that has no request, as its last answer. */
export function endWithProblem(socket: Duplex, problem: GatewayError): void {
  const body = JSON.stringify(toProblemDocument(problem, newRequestId()))
  const { status, title } = problemRules[problem.code]
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\ncontent-type: application/problem+json; charset=utf-8\r\ncache-control: no-store\r\n` +
      `x-content-type-options: nosniff\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
