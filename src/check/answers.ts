import type { ServerResponse } from 'node:http'
import type { Admission } from '../access/admission.ts'
import { GatewayError } from '../errors/gateway-error.ts'
import type { ErrorAnswer, ErrorAnswers } from '../http/answers/error-answer.ts'
import { againScript, type Pages } from '../http/answers/pages.ts'
import { type HeaderFields, pageHeaders } from '../http/answers/security-headers.ts'
import type { CookiePolicy } from '../http/cookies/cookie-policy.ts'
import type { AskedRequest } from './asked-request.ts'
import type { Question } from './question.ts'

/** What answers are made of. */
export interface AnswerServices {
  readonly baseUrl: URL
  /** The path of `/login`. */
  readonly loginUrl: string
  readonly errorAnswers: Pick<ErrorAnswers, 'render'>
  readonly pages: Pick<Pages, 'again' | 'policy'>
  readonly transportHeaders: HeaderFields
  /** Where somebody may be led back to after a login. */
  resolveReturnTo(untrusted: string): string | undefined
  /** Lets every cookie pass but those of gateways. */
  readonly cookies: Pick<CookiePolicy, 'toUpstream'>
}

/** With what the API is to be called. */
export interface GrantedCredentials {
  readonly authorization: string | undefined
  /** Value of `dpop`, for a token that is bound to a key. */
  readonly proof: string | undefined
}

/** Writes the answers to questions. */
export interface Answers {
  /** Yes, with everything that the API is to be told. Never a cookie: proxies lose those of a yes. */
  grant(
    question: Question,
    asked: AskedRequest,
    admission: Pick<Admission, 'identityHeaders'>,
    credentials: GrantedCredentials,
  ): void
  refuse(question: Question, asked: AskedRequest, error: GatewayError): void
}

/** Makes the answers of a frontend. */
export function createAnswers(services: AnswerServices): Answers {
  const { pages, errorAnswers, transportHeaders } = services
  const againHeaders = pageHeaders({ ...pages.policy, scripts: [againScript] })
  const refusal = (question: Question, asked: AskedRequest, error: GatewayError): ErrorAnswer => {
    const answer = errorAnswers.render(error, asked)
    if (!asked.isPage || !needsSession.has(error.code)) return answer
    if (cameFromElsewhere(asked)) {
      const address = `${services.baseUrl.origin}${asked.raw.url}`
      const body = pages.again(address, asked.headers['accept-language'])
      return { ...answer, headers: { ...answer.headers, ...againHeaders }, body }
    }
    return (question.kind.redirects ? toLogin(services, asked) : undefined) ?? answer
  }
  return {
    grant({ response }, asked, { identityHeaders }, { authorization, proof }) {
      const headers = ['cache-control', 'no-store', 'content-length', '0', 'x-request-id', asked.id]
      const { cookie } = asked.headers
      if (authorization !== undefined) headers.push('authorization', authorization)
      if (proof !== undefined) headers.push('dpop', proof)
      if (identityHeaders !== undefined) headers.push(...identityHeaders)
      const theirs = cookie === undefined ? undefined : services.cookies.toUpstream(cookie)
      if (theirs !== undefined) headers.push('cookie', theirs)
      response.writeHead(200, headers).end()
    },
    refuse(question, asked, error) {
      write(question.response, refusal(question, asked, error), transportHeaders)
    },
  }
}

/** What signing in cures. */
const needsSession = new Set(['session_missing', 'session_expired'])
const elsewhere = new Set<unknown>(['cross-site', 'same-site'])

/**
 * Our cookie does not travel with a navigation that another site began, the way back from the provider included. Whether there is a session
 * is known only once the page was asked for from our own origin.
 */
function cameFromElsewhere({ headers }: AskedRequest): boolean {
  return elsewhere.has(headers['sec-fetch-site'])
}

/** Absolute, because some proxies would make a relative one lead to this listener. `undefined`: nobody could be led back. */
function toLogin(
  { baseUrl, loginUrl, resolveReturnTo }: AnswerServices,
  { raw }: AskedRequest,
): ErrorAnswer | undefined {
  const returnTo = resolveReturnTo(raw.url)
  if (returnTo === undefined) return undefined
  const location = `${baseUrl.origin}${loginUrl}?returnTo=${encodeURIComponent(returnTo)}`
  return { status: 303, headers: { location, 'cache-control': 'no-store' }, body: '' }
}

/** Where the question was asked in vain a moment ago, and would not be now: a yes is handed out by the real question only. */
export function askAgain(): GatewayError {
  return new GatewayError('overloaded', {
    detail: 'This was refused a moment ago and would not be now. Send it again.',
    retryAfterSeconds: 0,
  })
}

function write(
  response: ServerResponse,
  { status, headers, body }: ErrorAnswer,
  transportHeaders: HeaderFields,
): void {
  const length = { 'content-length': Buffer.byteLength(body) }
  response.writeHead(status, { ...transportHeaders, ...headers, ...length }).end(body)
}
