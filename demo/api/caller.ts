import type { IncomingMessage } from 'node:http'
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose'
import { createFindProofFault } from './possession.ts'

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
  /** Whether the request proved that its sender has the key of the token. */
  readonly isProven: boolean
}

/** Why a request has no caller. */
export interface Refusal {
  readonly scheme: 'Bearer' | 'DPoP'
  /** In words. */
  readonly reason: string
}

/** What decides whether an access token is for this API. */
export interface CallerOptions {
  /** Exactly as in the `iss` of tokens. */
  readonly issuer: string
  readonly audience: string
  /** Where the issuer publishes its keys; default `<issuer>.well-known/jwks.json`. */
  readonly jwksUrl?: string
}

/** What the API asks of its callers; may be changed while it runs. */
export interface Demand {
  /** Whether a token is taken only from who proves to have its key. */
  isProofDemanded: boolean
}

/** Reads the caller from a request; a refusal without a valid access token for this API. @param url of the request, as the API knows itself */
export type IdentifyCaller = (request: IncomingMessage, url: string) => Promise<Caller | Refusal>

const noToken = 'There is no valid access token for this API.'

/**
 * All that an API has to do for itself behind Coatcheck: verify the signature with the issuer's published keys, `iss`, `aud` and `exp`
 * (RFC 9068 §4), and take user and rights from the token. That its sender has the token's key is verified whenever it says so.
 */
export function createIdentifyCaller(options: CallerOptions, demand: Demand): IdentifyCaller {
  const { issuer, audience } = options
  const keys = createRemoteJWKSet(new URL(options.jwksUrl ?? `${issuer}.well-known/jwks.json`))
  const checks = { issuer, audience, algorithms: ['RS256'], requiredClaims: ['sub', 'iat', 'exp'] }
  const findProofFault = createFindProofFault()
  return async ({ headers, method = '' }, url) => {
    const [, scheme = '', accessToken = ''] =
      /^(Bearer|DPoP) ([\w.-]+)$/i.exec(headers.authorization ?? '') ?? []
    const isProven = scheme.toLowerCase() === 'dpop'
    const verified = await jwtVerify(accessToken, keys, checks).catch(() => undefined)
    if (verified === undefined) return { scheme: isProven ? 'DPoP' : 'Bearer', reason: noToken }
    const { payload, protectedHeader } = verified
    if (isProven) {
      const request = { method, url, accessToken, thumbprint: thumbprintOf(payload) }
      const fault = findProofFault(String(headers.dpop ?? ''), request)
      if (fault !== undefined) return { scheme: 'DPoP', reason: `The token is good, but ${fault}.` }
    } else if (demand.isProofDemanded)
      return { scheme: 'DPoP', reason: 'The token is good, but nothing proves that its key is there, too.' }
    return { ...toCaller(payload), algorithm: protectedHeader.alg, isProven }
  }
}

const thumbprintOf = ({ cnf }: JWTPayload): unknown =>
  typeof cnf === 'object' && cnf !== null ? Reflect.get(cnf, 'jkt') : undefined

function toCaller(payload: JWTPayload): Omit<Caller, 'algorithm' | 'isProven'> {
  return {
    subject: payload.sub ?? '',
    permissions: toStrings(payload.permissions),
    issuer: payload.iss ?? '',
    audience: toStrings(payload.aud),
    issuedAtMs: (payload.iat ?? 0) * 1_000,
    expiresAtMs: (payload.exp ?? 0) * 1_000,
  }
}

function toStrings(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).filter((item) => typeof item === 'string')
}
