import { createHash, createPublicKey, type JsonWebKey, verify } from 'node:crypto'

/** A request whose sender says that it has the key of its token. */
export interface ProvenRequest {
  readonly method: string
  /** As the API knows itself, without a query. */
  readonly url: string
  readonly accessToken: string
  /** `cnf.jkt` of the verified token: the thumbprint of its key (RFC 9449 §6.1). */
  readonly thumbprint: unknown
}

/** Says what is wrong with a DPoP proof; `undefined`: nothing. */
export type FindProofFault = (untrustedProof: string, request: ProvenRequest) => string | undefined

/** A proof is good for this long, seconds, and so long is remembered that it was used. */
const proofLifeSeconds = 60

const proofPattern = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/

/**
 * All that an API has to do to take tokens from nobody but the holder of their key: RFC 9449 §4.3, with `node:crypto` alone. A real one with
 * several nodes remembers used proofs where all of them look.
 */
export function createFindProofFault(now: () => number = Date.now): FindProofFault {
  const used = new Map<string, number>()
  return (untrustedProof, request) => {
    try {
      const { claims, jwk } = openProof(untrustedProof)
      const fault = findFault(claims, request, now() / 1_000) ?? findKeyFault(jwk, request)
      if (fault !== undefined) return fault
      return isFirstUse(used, String(claims.jti), now() / 1_000) ? undefined : 'this proof was used before'
    } catch {
      return 'there is no valid proof'
    }
  }
}

interface Proof {
  readonly claims: Readonly<Record<string, unknown>>
  readonly jwk: JsonWebKey
}

/** @throws Error when it is none, or not signed with the key that it names */
function openProof(untrustedProof: string): Proof {
  const [, head = '', body = '', signature = ''] = proofPattern.exec(untrustedProof) ?? []
  const { typ, alg, jwk } = JSON.parse(decode(head).toString())
  if (typ !== 'dpop+jwt' || alg !== 'ES256') throw new TypeError('no proof')
  const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' } as const
  if (!verify('sha256', Buffer.from(`${head}.${body}`), key, decode(signature))) throw new TypeError('forged')
  return { claims: JSON.parse(decode(body).toString()), jwk }
}

function findFault({ htm, htu, iat, jti, ath }: Proof['claims'], request: ProvenRequest, nowSeconds: number) {
  if (htm !== request.method || htu !== request.url) return 'the proof is for another request'
  if (ath !== hash(request.accessToken)) return 'the proof is for another token'
  if (typeof iat !== 'number' || Math.abs(nowSeconds - iat) > proofLifeSeconds) return 'the proof is stale'
  return typeof jti === 'string' ? undefined : 'the proof has no jti'
}

/** RFC 7638: the members that make the key, in the order of their names. */
function findKeyFault({ crv, kty, x, y }: JsonWebKey, { thumbprint }: ProvenRequest): string | undefined {
  return hash(JSON.stringify({ crv, kty, x, y })) === thumbprint
    ? undefined
    : 'the token is bound to another key'
}

function isFirstUse(used: Map<string, number>, jti: string, nowSeconds: number): boolean {
  for (const [old, usedAtSeconds] of used) {
    // They stand in the order of their use. A proof may be dated ahead, so it is remembered for twice its life.
    if (nowSeconds - usedAtSeconds <= 2 * proofLifeSeconds) break
    used.delete(old)
  }
  if (used.has(jti)) return false
  used.set(jti, nowSeconds)
  return true
}

const decode = (part: string): Buffer => Buffer.from(part, 'base64url')
const hash = (text: string): string => createHash('sha256').update(text).digest('base64url')
