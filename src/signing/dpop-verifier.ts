import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { algorithmsOf, type SigningAlgorithm } from './algorithms.ts'
import { isSignedBy } from './jws.ts'
import { jwkThumbprint, publicMembers } from './thumbprints.ts'

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

const compact = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** The parts of a proof that was signed by the key in its own header. */
function openProof(untrustedProof: string | undefined): OpenedProof {
  if (untrustedProof === undefined || untrustedProof === '') throw new ProofError('missing')
  if (untrustedProof.length > longestProof || !compact.test(untrustedProof)) throw new ProofError('form')
  const [headerText = '', payloadText = '', signatureText = ''] = untrustedProof.split('.')
  const { typ, alg, jwk, crit, b64 } = parseObject(headerText)
  if (typ !== 'dpop+jwt') throw new ProofError('typ')
  if (crit !== undefined || b64 !== undefined) throw new ProofError('crit')
  const publicJwk = publicKeyOf(jwk)
  const publicKey = importKey(publicJwk)
  const algorithm = algorithmsOf(publicKey).find((each) => each === alg)
  if (algorithm === undefined) throw new ProofError('alg')
  expectSignature(`${headerText}.${payloadText}`, signatureText, { publicKey, algorithm })
  return { header: { jwk: publicJwk }, payload: parseObject(payloadText), publicKey }
}

function expectSignature(
  input: string,
  untrustedSignature: string,
  key: { readonly publicKey: KeyObject; readonly algorithm: SigningAlgorithm },
): void {
  const signature = Buffer.from(untrustedSignature, 'base64url')
  // One proof has one text: else a used one, spelt in another way, would be another.
  if (signature.toString('base64url') !== untrustedSignature || !isSignedBy(input, signature, key))
    throw new ProofError('signature')
}

function parseObject(encoded: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString())
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed }
  } catch {
    // Said below.
  }
  throw new ProofError('form')
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
