import { decodeJwt, type JWTPayload } from 'jose'
import { type AccessTokenFacts, readAccessToken } from '../verification/access-token-check.ts'

/** What an access token says about itself, for a person who asks; not verified, never to authorise. */
export interface TokenFacts extends AccessTokenFacts {
  readonly issuer: string | undefined
  /** The scope that was granted; `undefined` when the token does not say. */
  readonly scope: readonly string[] | undefined
  /** Auth0's and Entra's application permissions; `undefined` when there is no such claim. */
  readonly permissions: readonly string[] | undefined
}

/** Reads what `coatcheck doctor` explains. Claims of a foreign shape count as missing. */
export function readTokenFacts(token: string): TokenFacts {
  const facts = readAccessToken(token)
  const claims: JWTPayload = facts.kind === 'jwt' ? decodeJwt(token) : {}
  return {
    ...facts,
    issuer: typeof claims.iss === 'string' ? claims.iss : undefined,
    scope: wordsOf(claims.scope ?? claims.scp),
    permissions: wordsOf(claims.permissions ?? claims.roles),
  }
}

/** A list is an array, or one text with blanks between (RFC 8693 section 4.2). */
function wordsOf(claim: unknown): readonly string[] | undefined {
  if (typeof claim === 'string') return claim.split(' ').filter((word) => word !== '')
  return Array.isArray(claim) ? claim.filter((word) => typeof word === 'string') : undefined
}
