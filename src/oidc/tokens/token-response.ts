import type { ProviderContext } from '../provider/context.ts'
import { CheckError } from '../provider/failures/refusal.ts'
import { providerHints } from '../provider/profiles/hints.ts'
import type { AccessTokenFault } from '../provider/provider.ts'
import {
  type AccessTokenFacts,
  accessTokenFault,
  isBearerToken,
  readAccessToken,
} from '../verification/access-token-check.ts'
import type { ExpectedBinding } from './binding.ts'
import type { AccessToken, ApiAudience } from './token-set.ts'

/** A token response is not one (RFC 6749 section 5.1). Its message names the member, never a value. */
export class TokenResponseError extends CheckError {
  override readonly name = 'TokenResponseError'

  /** @param member which one, as checks name it */
  constructor(member: string, compared: ConstructorParameters<typeof CheckError>[1] = {}) {
    super(`token.${member}`, compared, 'TOKEN_RESPONSE_REFUSED')
  }
}

/** The members of a token response that are read here. */
export interface UntrustedTokenResponse {
  readonly access_token?: unknown
  readonly token_type?: unknown
  readonly expires_in?: unknown
  readonly refresh_token?: unknown
  readonly id_token?: unknown
  readonly issued_token_type?: unknown
}

/** What a token response holds for an API: its access token, and why the API could not use it, if so. */
export interface ApiToken {
  readonly accessToken: AccessToken
  readonly facts: AccessTokenFacts
  readonly fault: AccessTokenFault | undefined
}

/** For a token whose life nobody tells, seconds: short, because it may be shorter; long enough never to refresh in a loop. */
const unknownLifeSeconds = 300
/** A longer life is a mistake, and its end no moment that can be written down, seconds. */
const longestLifeSeconds = 366 * 86_400
const longestRefreshToken = 16 * 1024

/**
 * Takes the access token out of a token response.
 *
 * @param expected what it must be bound to
 * @throws TokenResponseError when it is missing, malformed, or to be used otherwise than was asked for
 */
export function readApiToken(
  { options, client, now }: Pick<ProviderContext, 'options' | 'client' | 'now'>,
  response: UntrustedTokenResponse,
  audience: ApiAudience,
  expected: ExpectedBinding,
): ApiToken {
  expectUse(response, expected)
  const value = accessTokenIn(response)
  const facts = readAccessToken(value)
  const boundTo = expectBinding(facts, expected)
  const obtainedAtMs = now()
  const fault = accessTokenFault(facts, {
    format: options.accessTokenFormat,
    audience,
    clientId: options.clientId,
    hints: providerHints(options.issuerUrl, client.current()?.serverMetadata()),
  })
  const expiresAtMs = obtainedAtMs + lifeSeconds(response.expires_in, facts, obtainedAtMs) * 1_000
  const token = { value, obtainedAtMs, expiresAtMs }
  return { accessToken: boundTo === undefined ? token : { ...token, boundTo }, facts, fault }
}

/** @throws TokenResponseError when there is none that could be sent to an API */
export function accessTokenIn({ access_token: untrusted }: UntrustedTokenResponse): string {
  if (isBearerToken(untrusted)) return untrusted
  throw new TokenResponseError('access_token', {
    expected: 'a token of RFC 6750',
    received: untrusted === undefined ? 'none' : 'something else',
  })
}

/** @throws TokenResponseError when the token is to be used otherwise (RFC 6750, RFC 9449 section 5) */
export function expectUse(
  { token_type: untrusted }: UntrustedTokenResponse,
  { kind }: Pick<ExpectedBinding, 'kind'>,
): void {
  const expected = kind === 'dpop' ? 'DPoP' : 'Bearer'
  if (typeof untrusted === 'string' && untrusted.toLowerCase() === expected.toLowerCase()) return
  throw new TokenResponseError('type', { expected, received: untrusted })
}

/**
 * What the token is bound to, as was expected. Where it can be read it must say so itself; an opaque one counts by its type. The OpenID
 * library takes any key for ours.
 *
 * @throws TokenResponseError when it is bound to something else, or to nothing
 */
function expectBinding(facts: AccessTokenFacts, expected: ExpectedBinding): string | undefined {
  const { jkt, 'x5t#S256': certificate } = facts.confirmation
  switch (expected.kind) {
    case 'dpop':
      return facts.kind === 'jwt' ? expectThumbprint(jkt, [expected.thumbprint]) : expected.thumbprint
    case 'mtls':
      return facts.kind === 'jwt'
        ? expectThumbprint(certificate, expected.certificates)
        : expected.certificates[0]
    case 'none':
      if (jkt !== undefined) throw new TokenResponseError('cnf', { expected: undefined, received: jkt })
      return expected.certificates.find((each) => each === certificate)
  }
}

function expectThumbprint(received: unknown, accepted: readonly string[]): string {
  const found = accepted.find((each) => each === received)
  if (found === undefined) throw new TokenResponseError('cnf', { expected: accepted[0], received })
  return found
}

/** What the answer says, unless the token itself says less; both are the provider's own clock, so a skew of ours plays no part. */
function lifeSeconds(expiresIn: unknown, facts: AccessTokenFacts, nowMs: number): number {
  if (isLife(expiresIn))
    return Math.min(expiresIn, facts.lifeSeconds ?? longestLifeSeconds, longestLifeSeconds)
  const left = (facts.expiresAtSeconds ?? 0) - nowMs / 1_000
  return isLife(left) ? Math.min(left, longestLifeSeconds) : unknownLifeSeconds
}

function isLife(seconds: unknown): seconds is number {
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0
}

/**
 * The refresh token of a response, or `undefined` when there is none.
 *
 * @throws TokenResponseError when there is one that cannot be kept: without it the session would go on with a spent one
 */
export function readRefreshToken(response: UntrustedTokenResponse): string | undefined {
  const token = response.refresh_token
  if (token === undefined) return undefined
  if (typeof token !== 'string' || token === '' || token.length > longestRefreshToken)
    throw new TokenResponseError('refresh_token', { expected: `a text of at most ${longestRefreshToken}` })
  return token
}

/** The refresh token of a response that failed, to be revoked. Never throws. */
export function revocableToken({ refresh_token: token }: UntrustedTokenResponse): string | undefined {
  return typeof token === 'string' && token !== '' ? token : undefined
}

/** Whether a response brought anything at all; one that did not has left the grant as it was. */
export function bringsTokens(response: UntrustedTokenResponse): boolean {
  const { access_token: access, refresh_token: refresh, id_token: id } = response
  return access !== undefined || refresh !== undefined || id !== undefined
}
