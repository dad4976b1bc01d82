import { errors as joseErrors } from 'jose'
import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from 'openid-client'
import { GatewayError } from '../../errors/gateway-error.ts'
import { failureCode } from '../../network/failure-code.ts'

/** What a failed exchange with the provider means. The only place that knows the OpenID library's classes. */
export type ProviderFailure =
  /** The grant is over: `invalid_grant` and its kin. */
  | { readonly kind: 'refused'; readonly error: string }
  /** The provider refuses our client or our configuration. */
  | { readonly kind: 'rejected'; readonly error: string }
  /** It did not answer, or not as a provider does. */
  | {
      readonly kind: 'unavailable'
      readonly error: string
      readonly cause: 'transport' | 'busy'
      readonly retryAfterSeconds: number | undefined
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
const passingErrors = new Set(['temporarily_unavailable', 'server_error'])

/** Request Timeout and Too Early: the server asks for the same request again (RFC 9110 section 15.5.9, RFC 8470 section 5.2). */
const passingStatuses = new Set([408, 425])

const safeErrorName = /^[A-Za-z0-9_.-]{1,64}$/

/** An error name of the provider's, if it looks like one: it ends up in logs. */
function safeName(untrustedError: string): string {
  return safeErrorName.test(untrustedError) ? untrustedError : 'malformed_error'
}

/** Classifies whatever a grant has thrown. */
export function classifyFailure(error: unknown): ProviderFailure {
  if (error instanceof ResponseBodyError)
    return classifyStatus(error.status, safeName(error.error), error.response)
  if (error instanceof WWWAuthenticateChallengeError)
    return { kind: 'rejected', error: `challenge_${error.status}` }
  if (error instanceof joseErrors.JOSEError) return { kind: 'invalid', error: error.code }
  if (error instanceof GatewayError && error.code === 'provider_unavailable') return transport('no_metadata')
  const code = codeOf(error)
  if (error instanceof ClientError) return classifyClientError(error, code)
  // `fetch` reports network failures as a bare TypeError with a cause.
  if (error instanceof TypeError && error.cause !== undefined) return transport('network')
  if (isInterrupted(error)) return transport(error.name)
  return { kind: 'invalid', error: code }
}

const interruptions = /^(?:TimeoutError|AbortError|AnswerTooLargeError|AnswerMalformedError)$/

/** The exchange was broken off, by a deadline or by us. */
function isInterrupted(error: unknown): error is Error {
  return error instanceof Error && interruptions.test(error.name)
}

function classifyStatus(status: number, error: string, response: Response): ProviderFailure {
  if (status === 429)
    return { kind: 'unavailable', error, cause: 'busy', retryAfterSeconds: retryAfterOf(response) }
  if (status >= 500 || passingStatuses.has(status) || passingErrors.has(error)) return transport(error)
  if (grantErrors.has(error)) return { kind: 'refused', error }
  // Auth0 says access_denied with 401 for a wrong client secret; any other access_denied is about the user.
  if (error === 'access_denied' && status !== 401) return { kind: 'refused', error }
  return { kind: 'rejected', error }
}

function classifyClientError(error: ClientError, code: string): ProviderFailure {
  if (isInterrupted(error.cause)) return transport(error.cause.name)
  const response = error.cause instanceof Response ? error.cause : undefined
  if (response?.status === 429) {
    return { kind: 'unavailable', error: code, cause: 'busy', retryAfterSeconds: retryAfterOf(response) }
  }
  if (response !== undefined && isRejection(response.status)) {
    return { kind: 'rejected', error: `status_${response.status}` }
  }
  if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT' || response !== undefined) return transport(code)
  return { kind: 'invalid', error: code }
}

function isRejection(status: number): boolean {
  return status >= 400 && status < 500 && !passingStatuses.has(status)
}

function transport(error: string): Extract<ProviderFailure, { readonly kind: 'unavailable' }> {
  return { kind: 'unavailable', error, cause: 'transport', retryAfterSeconds: undefined }
}

function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' ? code : 'unknown'
}

const longestRetryAfterSeconds = 60

function retryAfterOf(response: Response): number | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return Number.isInteger(seconds) && seconds > 0 ? Math.min(seconds, longestRetryAfterSeconds) : undefined
}

/** Safe to log: what the metadata calls its issuer, when discovery has failed because that is not the configured one. */
export function announcedIssuer(error: unknown): string | undefined {
  if (!(error instanceof ClientError) || error.code !== 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED')
    return undefined
  const metadata: unknown = isObject(error.cause) ? Reflect.get(error.cause, 'body') : undefined
  const issuer: unknown = isObject(metadata) ? Reflect.get(metadata, 'issuer') : undefined
  return typeof issuer === 'string' ? URL.parse(issuer)?.href.slice(0, longestIssuer) : undefined
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

const longestIssuer = 256

/** What went wrong with the connection, for the operator's log; never an address. */
export function describeTransportError(error: unknown): string {
  return failureCode(error) ?? classifyFailure(error).error
}

/** The failure of a login as the gateway's error. */
export function loginFailure(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error
  if (error instanceof AuthorizationResponseError) return new GatewayError('login_refused')
  const failure = classifyFailure(error)
  const context = { reason: failure.error }
  switch (failure.kind) {
    case 'unavailable':
      return new GatewayError('provider_unavailable', { context })
    case 'rejected':
      return new GatewayError('provider_rejected', { context })
    case 'refused':
    case 'invalid':
      return new GatewayError('login_refused', { context })
  }
}
