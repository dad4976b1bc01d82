import { errors } from 'jose'
import { CheckError } from '../provider/failures/refusal.ts'
import { headerOf, isEncrypted } from './untrusted-jwt.ts'

/** What a JWT was compared with. */
export interface JwtExpectation {
  /** The kind of token, as checks name it: `id_token`, `logout_token`, `userinfo`, `response`. */
  readonly token: string
  readonly issuer: string
  readonly audience: string
  readonly algorithms: readonly string[]
  readonly nowMs: number
}

/**
 * The check that a JWT has failed, and both values.
 *
 * @returns the error itself when it says nothing about the JWT
 */
export function jwtRefusal(error: unknown, untrustedJwt: string, expected: JwtExpectation): unknown {
  if (!(error instanceof errors.JOSEError)) return error
  const { token } = expected
  const named = (check: string, compared: ConstructorParameters<typeof CheckError>[1]) =>
    new CheckError(`${token}.${check}`, compared, error.code)
  if (error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired) {
    const { claim, payload } = error
    if (secretClaims.has(claim)) return named(claim, {})
    return named(claim, { expected: expectedClaim(claim, expected), received: payload[claim] })
  }
  const header = headerOf(untrustedJwt)
  if (error instanceof errors.JWKSNoMatchingKey)
    return named('kid', { expected: `a published key for ${String(header.alg)}`, received: header.kid })
  if (error instanceof errors.JWSSignatureVerificationFailed) return named('signature', {})
  // No extension is known here, so whatever has one fails by it (RFC 7515 section 4.1.11).
  if (header.crit !== undefined)
    return named('crit', { expected: 'no extension that has to be understood', received: header.crit })
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported)
    return named('alg', { expected: expected.algorithms, received: header.alg })
  if (isEncrypted(untrustedJwt))
    return named('format', { expected: 'a signed JWT', received: 'an encrypted one (JWE)' })
  return named('format', { expected: 'a signed JWT', received: error.code })
}

/** Never written anywhere: a subject only as its pseudonym, which is not known here. */
const secretClaims: ReadonlySet<string> = new Set(['sub', 'nonce'])

function expectedClaim(claim: string, { issuer, audience, nowMs }: JwtExpectation): string {
  const nowSeconds = Math.floor(nowMs / 1_000)
  if (claim === 'iss') return issuer
  if (claim === 'aud') return audience
  if (claim === 'exp') return `later than ${nowSeconds}`
  return claim === 'nbf' ? `not later than ${nowSeconds}` : 'a value of the right form'
}
