import type { ServerResponse } from 'node:http'
import type { ErrorCode } from '../../errors/codes.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import { problemRules, toProblemDocument } from '../../errors/problem.ts'
import { newRequestId } from '../server/server.ts'
import { type BrowserConnection, connectionOf, type OwnedSocket } from './connection.ts'
import type { ReportUnrouted } from './unrouted.ts'

const codeOfParserError: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'payload_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

/** A connection, and the answer that it is waiting for or in the middle of. */
interface ServerSocket extends OwnedSocket {
  readonly _httpMessage?: ServerResponse | null
}

/** Answers what the HTTP parser refused: there is no request yet, so the answer is written by hand. */
export function answerClientError(
  error: Error & { code?: string },
  socket: ServerSocket,
  report: ReportUnrouted,
): void {
  const connection = connectionOf(socket)
  // What comes behind the last answer is no HTTP to anybody.
  if (connection?.isEnding === true && error.code !== 'ECONNRESET') return
  if (connection?.isAskedOut === true && error.code?.startsWith('HPE_') === true) {
    connection.closeBehindClient()
    return
  }
  if (
    connection === undefined ||
    !socket.writable ||
    error.code === 'ECONNRESET' ||
    isAnswerOfAnother(socket)
  ) {
    socket.destroy()
    return
  }
  const code = codeOfParserError[error.code ?? ''] ?? 'request_invalid'
  const detail = code === 'request_invalid' ? { detail: 'The request is not valid HTTP.' } : {}
  endWithProblem(connection, { method: '', target: '' }, new GatewayError(code, detail), report)
}

/** What is written now would be taken for part of an answer that has begun, or for the answer of a request that was in order. */
function isAnswerOfAnother({ _httpMessage: answer }: ServerSocket): boolean {
  if (answer === undefined || answer === null) return false
  return answer.headersSent || answer.req.complete
}

/** Refuses what is no request, as the last answer on the connection; requests on it that are not whole are over. */
export function endWithProblem(
  connection: BrowserConnection,
  asked: { readonly method: string; readonly target: string },
  problem: GatewayError,
  report: ReportUnrouted,
): void {
  const { socket, lives } = connection
  const requestId = newRequestId()
  const body = JSON.stringify(toProblemDocument(problem, requestId))
  const { status, title } = problemRules[problem.code]
  socket.write(
    `HTTP/1.1 ${status} ${title}\r\ncontent-type: application/problem+json; charset=utf-8\r\ncache-control: no-store\r\n` +
      `x-content-type-options: nosniff\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
  connection.endInOrder()
  // It was the body of a request that has its own report.
  for (const { response } of lives) response.statusCode = status
  // A connection that was opened in advance and never used has asked for nothing.
  if (lives.length === 0 && socket.bytesRead > 0) {
    report({ ...asked, requestId, code: problem.code, isAnswered: true })
  }
  connection.abandon()
}
