import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { algorithmsOf } from './algorithms.ts'
import { isSignedBy } from './jws.ts'
import { jwkThumbprint, publicMembers } from './thumbprints.ts'
import { splitJws } from './untrusted-jws.ts'

/** A DPoP proof has failed a check. The message names the check, never a value. */
export class ProofError extends Error {
  override readonly name = 'ProofError'
  readonly code = 'DPOP_PROOF_REFUSED'
}

/** What a proof must be for. */
export interface ExpectedProof {
  readonly method: string
  /** The URL of the request; its query and fragment play no part. */
  readonly url: URL
  /** `sha256` of the access token that came with it. */
  readonly accessTokenHash: string
  /** `cnf.jkt` of that token. */
  readonly thumbprint: string
  readonly nowMs: number
}

/** A proof that holds. Whoever took it has to see that its `jti` has not been used with this key before, until `usableUntilMs`. */
export interface VerifiedProof {
  readonly jti: string
  readonly thumbprint: string
  /** From then on its `iat` alone makes it worthless, epoch milliseconds. */
  readonly usableUntilMs: number
}

/** How old a proof may be, and how far ahead of our clock, seconds. */
const oldestSeconds = 60
const aheadSeconds = 10
const longestProof = 4_096
const longestJti = 256
const leastRsaBits = 2_048

/**
 * Verifies a caller's DPoP proof (RFC 9449 section 4.3), all but the replay of its `jti`.
 *
 * @param untrustedProof the one `DPoP` header of the request; several, which Node joins with commas, are none
 * @throws ProofError
 */
export function verifyDpopProof(untrustedProof: string | undefined, expected: ExpectedProof): VerifiedProof {
  const { header, payload, publicKey } = openProof(untrustedProof)
  const thumbprint = jwkThumbprint(header.jwk)
  if (thumbprint !== expected.thumbprint)
    throw new ProofError('jwk is not the key that the token is bound to')
  const { jti, htm, htu, iat, ath } = payload
  if (typeof jti !== 'string' || jti === '' || jti.length > longestJti) throw new ProofError('jti')
  if (htm !== expected.method) throw new ProofError('htm')
  if (!isSameTarget(htu, expected.url)) throw new ProofError('htu')
  if (ath !== expected.accessTokenHash) throw new ProofError('ath')
  expectWeight(publicKey)
  return { jti, thumbprint, usableUntilMs: expectTime(iat, expected.nowMs / 1_000) * 1_000 }
}

interface OpenedProof {
  readonly header: { readonly jwk: JsonWebKey }
  readonly payload: Readonly<Record<string, unknown>>
  readonly publicKey: KeyObject
}

/** The parts of a proof that was signed by the key in its own header. */
function openProof(untrustedProof: string | undefined): OpenedProof {
  if (untrustedProof === undefined || untrustedProof === '') throw new ProofError('missing')
  const jws = splitJws(untrustedProof, longestProof)
  if (typeof jws === 'string') throw new ProofError(jws)
  const { typ, alg, jwk } = jws.header
  if (typ !== 'dpop+jwt') throw new ProofError('typ')
  const publicJwk = publicKeyOf(jwk)
  const publicKey = importKey(publicJwk)
  const algorithm = algorithmsOf(publicKey).find((each) => each === alg)
  if (algorithm === undefined) throw new ProofError('alg')
  if (!isSignedBy(jws.input, jws.signature, { publicKey, algorithm })) throw new ProofError('signature')
  return { header: { jwk: publicJwk }, payload: jws.payload, publicKey }
}

const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

function publicKeyOf(untrusted: unknown): JsonWebKey {
  if (typeof untrusted !== 'object' || untrusted === null) throw new ProofError('jwk')
  if (privateMembers.some((name) => Object.hasOwn(untrusted, name))) throw new ProofError('jwk is private')
  const members = publicMembers({ ...untrusted })
  if (members === undefined) throw new ProofError('jwk')
  return members
}

function importKey(jwk: JsonWebKey): KeyObject {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    throw new ProofError('jwk')
  }
}

function expectWeight(publicKey: KeyObject): void {
  const { modulusLength } = publicKey.asymmetricKeyDetails ?? {}
  if (modulusLength !== undefined && modulusLength < leastRsaBits) throw new ProofError('jwk is too short')
}

/** RFC 9449 section 4.3, 9: compared after normalisation, query and fragment apart. */
function isSameTarget(untrustedUrl: unknown, url: URL): boolean {
  const parsed = typeof untrustedUrl === 'string' ? URL.parse(untrustedUrl) : null
  return parsed !== null && parsed.origin === url.origin && parsed.pathname === url.pathname
}

/** @returns until when the proof's time alone lets it through, epoch seconds */
function expectTime(issuedAt: unknown, nowSeconds: number): number {
  if (typeof issuedAt !== 'number' || !Number.isFinite(issuedAt)) throw new ProofError('iat')
  if (issuedAt < nowSeconds - oldestSeconds) throw new ProofError('iat is old')
  if (issuedAt > nowSeconds + aheadSeconds) throw new ProofError('iat is ahead')
  return issuedAt + oldestSeconds
}
