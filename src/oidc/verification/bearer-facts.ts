import type { Claims } from './claims.ts'

/** What a caller's token must be for. */
export interface BearerRule {
  /** The API's identifiers at the provider. */
  readonly accepted: readonly string[]
  /** Our own address of the route (RFC 9728): such a token is for us, and goes no further. */
  readonly resource: string
}

/** A caller's token, verified. */
export interface BearerFacts {
  readonly issuer: string
  /** `sub`, or the client's id where the client calls in its own name. */
  readonly subject: string
  readonly claims: Claims
  /** Epoch milliseconds. */
  readonly expiresAtMs: number
  /** The token names us and not the API. */
  readonly isForUs: boolean
  /** Thumbprint of the key whose possession the caller has to prove (RFC 9449 section 6); `undefined`: none. */
  readonly thumbprint: string | undefined
}
