import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from 'openid-client'
import { isPlainObject } from '../../../basics/plain-object.ts'
import { GatewayError } from '../../../errors/gateway-error.ts'
import { failureCode } from '../../../network/failure-code.ts'
import { CheckError, factsIn, providerWords, type RefusalFacts, UnmetDemandError } from './refusal.ts'

/** What a failed exchange with the provider means. The only place that knows the OpenID library's classes. */
export type ProviderFailure = Failure & {
  /** What the log says of it. */
  readonly facts: RefusalFacts
}

type Failure =
  /**
   * The grant is over: `invalid_grant` and its kin. Not certain where the word may also mean that our request is wrong: some providers say
   * `invalid_request` of a dead refresh token.
   */
  | { readonly kind: 'refused'; readonly error: string; readonly isCertain: boolean }
  /** The provider refuses our client or our configuration; `isOwn`: we have found it out ourselves, and asked nobody. */
  | { readonly kind: 'rejected'; readonly error: string; readonly isOwn?: true }
  /** It did not answer, or not as a provider does. */
  | {
      readonly kind: 'unavailable'
      readonly error: string
      readonly cause: 'transport' | 'busy' | 'own'
      readonly retryAfterSeconds: number | undefined
      /** The request has gone out, and its answer has not come whole: the provider may have acted on it. */
      readonly isAnswerLost?: boolean
    }
  /** It answered, and the answer failed a check. */
  | { readonly kind: 'invalid'; readonly error: string }

/** Errors that end a grant, whatever their status (RFC 6749 section 5.2, OpenID Connect Core section 3.1.2.6). */
const grantErrors = new Set([
  'invalid_grant',
  'login_required',
  'interaction_required',
  'consent_required',
  'account_selection_required',
  'mfa_required',
])

/** Errors that pass by themselves, whatever their status (RFC 6749 section 4.1.2.1; some answer so at the token endpoint). */
const passingErrors = new Set(['temporarily_unavailable', 'server_error', 'use_dpop_nonce'])

/** Request Timeout and Too Early: the server asks for the same request again (RFC 9110 section 15.5.9, RFC 8470 section 5.2). */
const passingStatuses = new Set([408, 425])

const safeErrorName = /^[A-Za-z0-9_.-]{1,64}$/

/** Whether the provider has refused a request only because the proof in it lacks its nonce (RFC 9449 section 8). */
export function asksForNonce(error: unknown): boolean {
  if (error instanceof ResponseBodyError) return error.error === 'use_dpop_nonce'
  if (!(error instanceof WWWAuthenticateChallengeError)) return false
  return error.cause.some(
    ({ scheme, parameters }) => scheme === 'dpop' && parameters.error === 'use_dpop_nonce',
  )
}

/** An error name of the provider's, if it looks like one: it ends up in logs. */
function safeName(untrustedError: string): string {
  return safeErrorName.test(untrustedError) ? untrustedError : 'malformed_error'
}

/** What was asked for: at a refresh some words mean the refresh token, at a login never. */
export type GrantKind = 'code' | 'refresh'

/** How dex, LemonLDAP::NG and others call a refresh token that is dead. */
const wordsOfDeadTokens = new Set(['invalid_request', 'invalid_token', 'expired_token'])

/** Classifies whatever a grant has thrown. */
export function classifyFailure(thrown: unknown, grant: GrantKind = 'code'): ProviderFailure {
  const error = unwrapped(thrown)
  return { ...classify(error, grant), facts: factsOf(error) }
}

/** What our own code within a request has thrown, which the OpenID library wraps like a fault of its own; anything else as it is. */
export function unwrapped(error: unknown): unknown {
  if (!(error instanceof ClientError)) return error
  return error.cause instanceof GatewayError || error.cause instanceof CheckError ? error.cause : error
}

/** Says that we have nothing to prove ourselves with: no request was made, and nothing is known of the provider. */
export function noProof(reason: string): GatewayError {
  return new GatewayError('provider_unavailable', { context: { reason, lacks: 'client proof' } })
}

function factsOf(error: unknown): RefusalFacts {
  if (error instanceof CheckError) return error.facts
  if (error instanceof GatewayError) return factsIn(error.context)
  return error instanceof ResponseBodyError ? providerWords(error.cause) : {}
}

function classify(error: unknown, grant: GrantKind): Failure {
  if (error instanceof ResponseBodyError) {
    const name = safeName(error.error)
    const isDead =
      grant === 'refresh' && wordsOfDeadTokens.has(name) && isRejection(error.status) && error.status !== 429
    return isDead
      ? { kind: 'refused', error: name, isCertain: false }
      : classifyStatus(error.status, name, error.response)
  }
  if (error instanceof WWWAuthenticateChallengeError)
    return { kind: 'rejected', error: `challenge_${error.status}` }
  if (error instanceof CheckError) return { kind: 'invalid', error: error.code }
  if (error instanceof GatewayError) return classifyOwn(error)
  const code = codeOf(error)
  if (error instanceof ClientError) return classifyClientError(error, code, grant)
  // `fetch` reports network failures as a bare TypeError with a cause.
  if (error instanceof TypeError && error.cause !== undefined)
    return { ...transport('network'), isAnswerLost: lostAnswers.test(failureCode(error) ?? '') }
  if (isInterrupted(error)) return transport(error.name)
  return { kind: 'invalid', error: code }
}

/** What we have found out ourselves, before or instead of an answer. */
function classifyOwn({ code, context }: GatewayError): Failure {
  const reason = typeof context.reason === 'string' ? context.reason : undefined
  if (code === 'provider_unavailable') {
    const failure = transport(reason ?? 'no_metadata')
    return context.lacks === undefined ? failure : { ...failure, cause: 'own' }
  }
  return code === 'provider_rejected'
    ? { kind: 'rejected', error: reason ?? code, isOwn: true }
    : { kind: 'invalid', error: code }
}

const interruptions = /^(?:TimeoutError|AbortError|AnswerTooLargeError|AnswerMalformedError)$/

/** Codes of connections that broke once there was one; what no connection could be made for was never sent. */
const lostAnswers = /^(?:ECONNRESET|EPIPE|UND_ERR_(?:SOCKET|HEADERS_TIMEOUT|BODY_TIMEOUT|RES_\w+)|HPE_\w+)$/

/** The exchange was broken off, by a deadline or by us. */
function isInterrupted(error: unknown): error is Error {
  return error instanceof Error && interruptions.test(error.name)
}

function classifyStatus(status: number, error: string, response: Response): Failure {
  if (status === 429)
    return { kind: 'unavailable', error, cause: 'busy', retryAfterSeconds: retryAfterOf(response) }
  if (status >= 500 || passingStatuses.has(status) || passingErrors.has(error))
    return { ...transport(error), ...lostBy(status) }
  if (grantErrors.has(error)) return { kind: 'refused', error, isCertain: true }
  // Auth0 says access_denied with 401 for a wrong client secret; any other access_denied is about the user.
  if (error === 'access_denied' && status !== 401) return { kind: 'refused', error, isCertain: true }
  return { kind: 'rejected', error }
}

function classifyClientError(error: ClientError, code: string, grant: GrantKind): Failure {
  if (isInterrupted(error.cause)) return transport(error.cause.name)
  const response = error.cause instanceof Response ? error.cause : undefined
  if (response?.status === 429) {
    return { kind: 'unavailable', error: code, cause: 'busy', retryAfterSeconds: retryAfterOf(response) }
  }
  if (response !== undefined && grant === 'refresh' && response.status === 400 && response.body === null)
    return { kind: 'refused', error: 'status_400', isCertain: false }
  if (response !== undefined && isRejection(response.status)) {
    return { kind: 'rejected', error: `status_${response.status}` }
  }
  if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT') return transport(code)
  if (response !== undefined) return { ...transport(`status_${response.status}`), ...lostBy(response.status) }
  return { kind: 'invalid', error: code }
}

/** Gateway Timeout is said by a server in between, which has handed the request on: the provider may act on it yet. */
function lostBy(status: number): { readonly isAnswerLost?: true } {
  return status === 504 ? { isAnswerLost: true } : {}
}

function isRejection(status: number): boolean {
  return status >= 400 && status < 500 && !passingStatuses.has(status)
}

function transport(error: string): Extract<Failure, { readonly kind: 'unavailable' }> {
  return { kind: 'unavailable', error, cause: 'transport', retryAfterSeconds: undefined }
}

function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' ? code : 'unknown'
}

const longestRetryAfterSeconds = 60

/** Seconds, or a date (RFC 9110 section 10.2.3), which is compared with the provider's own clock where it tells that. */
function retryAfterOf({ headers }: Response): number | undefined {
  const untrusted = headers.get('retry-after') ?? ''
  const seconds = /^\d+$/.test(untrusted) ? Number(untrusted) : secondsUntil(untrusted, headers.get('date'))
  return seconds > 0 ? Math.min(seconds, longestRetryAfterSeconds) : undefined
}

function secondsUntil(untrustedDate: string, untrustedNow: string | null): number {
  return Math.ceil((Date.parse(untrustedDate) - Date.parse(untrustedNow ?? '')) / 1_000)
}

/** Safe to log: what the metadata calls its issuer, when discovery has failed because that is not the configured one. */
export function announcedIssuer(error: unknown): string | undefined {
  if (!(error instanceof ClientError) || error.code !== 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED')
    return undefined
  const metadata: unknown = isPlainObject(error.cause) ? Reflect.get(error.cause, 'body') : undefined
  const issuer: unknown = isPlainObject(metadata) ? Reflect.get(metadata, 'issuer') : undefined
  return typeof issuer === 'string' ? URL.parse(issuer)?.href.slice(0, longestIssuer) : undefined
}

const longestIssuer = 256

/** What went wrong with the connection, for the operator's log; never an address. */
export function describeTransportError(error: unknown): string {
  return failureCode(error) ?? classifyFailure(error).error
}

/** What the page says where it is not about security. */
function explanationOf(error: unknown): { readonly detail?: string } {
  if (!(error instanceof UnmetDemandError)) return {}
  return {
    detail:
      'The stronger or newer sign-in that was asked for did not take place. You are signed in as before, if you were; try again, and follow the steps that the identity provider asks for.',
  }
}

/** The failure of a login as the gateway's error. */
export function loginFailure(thrown: unknown): GatewayError {
  const error = unwrapped(thrown)
  if (error instanceof GatewayError) return error
  if (error instanceof AuthorizationResponseError) return new GatewayError('login_refused')
  const failure = classifyFailure(error)
  const context = { reason: failure.error, ...failure.facts }
  switch (failure.kind) {
    case 'unavailable':
      return new GatewayError('provider_unavailable', { context })
    case 'rejected':
      return new GatewayError('provider_rejected', { context })
    case 'refused':
    case 'invalid':
      return new GatewayError('login_refused', { context, ...explanationOf(error) })
  }
}
