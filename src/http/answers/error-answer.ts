import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { GatewayError } from '../../errors/gateway-error.ts'
import {
  type ProblemDocument,
  problemRules,
  retryAfterSeconds,
  toProblemDocument,
} from '../../errors/problem.ts'
import type { Pages } from './pages.ts'
import { type HeaderFields, pageHeaders } from './security-headers.ts'

/** What an error's answer depends on, besides the error. A Fastify request fits. */
export interface FailedRequest {
  readonly id: string
  readonly method: string
  readonly headers: IncomingHttpHeaders
}

/** An error as it goes over the wire, all but the headers that every answer carries. */
export interface ErrorAnswer {
  readonly status: number
  readonly headers: HeaderFields
  readonly body: string
}

/** Renders failures: problem documents for fetches, pages for navigations (DESIGN section 2.5). */
export interface ErrorAnswers {
  render(error: GatewayError, request: FailedRequest): ErrorAnswer
  /**
   * Answers on the raw response, for replies that were hijacked, where no hook runs. Cuts the connection when the answer had begun, so
   * that a truncated body can never look whole.
   */
  writeProblem(raw: ServerResponse, error: GatewayError, request: FailedRequest): void
}

/** What {@link createErrorAnswers} needs. */
export interface ErrorAnswerOptions {
  /** The path of `/login`. */
  readonly loginUrl: string
  readonly pages: Pages
  /** The result of `transportHeaders`, written with raw answers. */
  readonly transportHeaders: HeaderFields
}

/**
 * A challenge that no browser knows, because one that it knew would make it ask for a password (RFC 9110 section 11.6.1 demands one
 * with 401).
 */
const sessionChallenge = 'Cookie realm="coatcheck"'

/** Creates the renderer of failures. */
export function createErrorAnswers(options: ErrorAnswerOptions): ErrorAnswers {
  const htmlHeaders = pageHeaders(options.pages.policy)
  function render(error: GatewayError, request: FailedRequest): ErrorAnswer {
    const problem = describe(error, request.id, options.loginUrl)
    const headers = { ...statusHeaders(error), ...error.headers }
    return isNavigation(request.headers)
      ? page(problem, { ...htmlHeaders, ...headers }, options.pages, request)
      : { status: problem.status, headers: { ...problemHeaders, ...headers }, body: JSON.stringify(problem) }
  }
  function writeProblem(raw: ServerResponse, error: GatewayError, request: FailedRequest): void {
    if (raw.headersSent || raw.destroyed) {
      raw.destroy()
      return
    }
    const { status, headers, body } = render(error, request)
    const length = { 'content-length': Buffer.byteLength(body) }
    raw.writeHead(status, { ...options.transportHeaders, ...headers, ...length })
    raw.end(request.method === 'HEAD' ? undefined : body)
  }
  return { render, writeProblem }
}

const problemHeaders: HeaderFields = {
  'content-type': 'application/problem+json; charset=utf-8',
  'cache-control': 'no-store',
}

function describe(error: GatewayError, requestId: string, loginUrl: string): ProblemDocument {
  const problem = toProblemDocument(error, requestId)
  // Who brings a challenge of its own says itself whether signing in here helps: a bearer of tokens cannot.
  const isForBrowsers = problem.status === 401 && error.headers['www-authenticate'] === undefined
  return isForBrowsers ? { loginUrl, ...problem } : problem
}

function statusHeaders(error: GatewayError): HeaderFields {
  const retryAfter = retryAfterSeconds(error)
  return {
    ...(problemRules[error.code].status === 401 ? { 'www-authenticate': sessionChallenge } : {}),
    ...(retryAfter === undefined ? {} : { 'retry-after': `${retryAfter}` }),
    // Which of the two forms is sent depends on these.
    vary: 'Accept, Sec-Fetch-Mode',
  }
}

function page(
  problem: ProblemDocument,
  headers: HeaderFields,
  pages: Pages,
  { id, headers: untrusted }: FailedRequest,
): ErrorAnswer {
  const body = pages.problem(problem, id, untrusted['accept-language'])
  return { status: problem.status, headers, body }
}

/** Whether a person will see the answer as a page: Fetch metadata decides, `Accept` where a browser sends none. */
export function isNavigation(untrusted: IncomingHttpHeaders): boolean {
  const mode = untrusted['sec-fetch-mode']
  if (mode !== undefined) return mode === 'navigate'
  return untrusted.accept?.toLowerCase().includes('text/html') === true
}
