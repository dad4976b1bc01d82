import type { IncomingMessage } from 'node:http'
import { createRemoteJWKSet, jwtVerify } from 'jose'

/** Who calls, read from a verified access token. */
export interface Caller {
  /** `sub`: the user. */
  readonly subject: string
  readonly permissions: readonly string[]
  readonly issuer: string
  readonly audience: readonly string[]
  readonly issuedAtMs: number
  readonly expiresAtMs: number
  readonly algorithm: string
}

/** What decides whether an access token is for this API. */
export interface CallerOptions {
  /** Exactly as in the `iss` of tokens. */
  readonly issuer: string
  readonly audience: string
  /** Where the issuer publishes its keys; default `<issuer>.well-known/jwks.json`. */
  readonly jwksUrl?: string
}

/** Reads the caller from a request; `undefined` without a valid access token for this API. */
export type IdentifyCaller = (request: IncomingMessage) => Promise<Caller | undefined>

/**
 * All that an API has to do for itself behind Coatcheck: verify the signature with the issuer's published keys, `iss`, `aud` and `exp`
 * (RFC 9068 §4), and take user and rights from the token.
 */
export function createIdentifyCaller(options: CallerOptions): IdentifyCaller {
  const { issuer, audience } = options
  const keys = createRemoteJWKSet(new URL(options.jwksUrl ?? `${issuer}.well-known/jwks.json`))
  const checks = { issuer, audience, algorithms: ['RS256'], requiredClaims: ['sub', 'iat', 'exp'] }
  return async (request) => {
    const untrustedToken = /^Bearer ([\w.-]+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (untrustedToken === undefined) return undefined
    const verified = await jwtVerify(untrustedToken, keys, checks).catch(() => undefined)
    if (verified === undefined) return undefined
    const { payload, protectedHeader } = verified
    return {
      subject: payload.sub ?? '',
      permissions: toStrings(payload.permissions),
      issuer: payload.iss ?? '',
      audience: toStrings(payload.aud),
      issuedAtMs: (payload.iat ?? 0) * 1_000,
      expiresAtMs: (payload.exp ?? 0) * 1_000,
      algorithm: protectedHeader.alg,
    }
  }
}

function toStrings(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).filter((item) => typeof item === 'string')
}
