import { createHash, createPublicKey, type JsonWebKey, verify } from 'node:crypto'

/** A DPoP proof as one side of a connection received it, and what it must be for. */
export interface ReceivedProof {
  /** Every `DPoP` header of the request. */
  readonly proofs: readonly string[]
  readonly method: string
  /** The request's address as the verifier knows itself, query and all. */
  readonly url: string
  /** The access token that came with it; `undefined` at a token endpoint. */
  readonly accessToken?: string | undefined
}

/** Verifies proofs by RFC 9449 section 4.3, with `node:crypto` alone: what an API does that was written by somebody else. */
export interface ProofVerifier {
  /** Returns the thumbprint of the key. @throws Error whose message names what is wrong; `use_dpop_nonce` where the nonce is */
  verify(received: ReceivedProof): string
}

const oldestSeconds = 30

/**
 * Makes a verifier, which remembers what it has seen.
 *
 * @param nonces those that it takes, the newest first; none: it asks for no nonce
 */
export function createProofVerifier(
  nonces: () => readonly string[] = () => [],
  now: () => number = Date.now,
): ProofVerifier {
  const used = new Set<string>()
  return {
    verify({ proofs, method, url, accessToken }) {
      const [proof = '', ...others] = proofs
      if (proof === '' || others.length > 0) throw new Error(`${proofs.length} proofs`)
      const [head = '', body = '', signature = ''] = proof.split('.')
      const { typ, alg, jwk } = part(head) as { typ?: unknown; alg?: unknown; jwk: JsonWebKey }
      if (typ !== 'dpop+jwt' || alg !== 'ES256' || jwk.d !== undefined) throw new Error('header')
      const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' } as const
      if (!verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url')))
        throw new Error('signature')
      const { jti, htm, htu, iat, ath, nonce } = part(body) as Record<string, unknown>
      if (htm !== method) throw new Error('htm')
      if (htu !== url.replace(/[?#].*$/s, '')) throw new Error(`htu ${String(htu)}`)
      if (typeof iat !== 'number' || Math.abs(now() / 1_000 - iat) > oldestSeconds) throw new Error('iat')
      const expected =
        accessToken === undefined ? undefined : createHash('sha256').update(accessToken).digest('base64url')
      if (ath !== expected) throw new Error('ath')
      const taken = nonces()
      if (taken.length > 0 && !taken.includes(String(nonce))) throw new Error('use_dpop_nonce')
      if (typeof jti !== 'string' || used.has(jti)) throw new Error('jti')
      used.add(jti)
      const { crv, kty, x, y } = jwk
      return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')
    },
  }
}

function part(encoded: string): unknown {
  return JSON.parse(Buffer.from(encoded, 'base64url').toString())
}

/** The claims of a JWT, unverified. */
export function claimsOf(jwt = ''): Record<string, unknown> {
  return part(jwt.split('.')[1] ?? '') as Record<string, unknown>
}

/**
 * Nonces that change every so often; the one before is still taken. A process that is late changes them late: how long one is good for is
 * a matter of the server's own time.
 */
export function changingNonces(periodMs: number, secret = 'n'): () => readonly string[] {
  let turn = 0
  setInterval(() => {
    turn += 1
  }, periodMs).unref()
  return () => {
    return [turn, turn - 1].map((each) =>
      createHash('sha256').update(`${secret} ${each}`).digest('base64url'),
    )
  }
}

/** All values of one header, from a raw list. */
export function valuesOf(rawHeaders: readonly string[], name: string): readonly string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name)
}
