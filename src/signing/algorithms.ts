import { constants, type KeyObject, type SignKeyObjectInput } from 'node:crypto'

/** How a JWS is signed here (RFC 7518 section 3.1, RFC 8037, RFC 9864). */
export type SigningAlgorithm = 'ES256' | 'PS256' | 'RS256' | 'EdDSA' | 'Ed25519'

/** What FAPI 2.0 section 5.4.1 allows; in any other order than ours. */
export const fapiAlgorithms: readonly SigningAlgorithm[] = ['PS256', 'ES256', 'EdDSA', 'Ed25519']

/** What each kind of key can do, the best first. */
const algorithmsByKind: Readonly<Record<string, readonly SigningAlgorithm[]>> = {
  'ec:prime256v1': ['ES256'],
  rsa: ['PS256', 'RS256'],
  ed25519: ['EdDSA', 'Ed25519'],
}

/** The algorithms that a private or public key can be used with, the best first; none for kinds of keys that are not taken. */
export function algorithmsOf(key: KeyObject): readonly SigningAlgorithm[] {
  const { asymmetricKeyType: kind = '', asymmetricKeyDetails } = key
  const name = kind === 'ec' ? `ec:${asymmetricKeyDetails?.namedCurve}` : kind
  return algorithmsByKind[name] ?? []
}

/** A key, and the one algorithm that it is for, if its owner has said so. */
interface ChoosableKey {
  readonly privateKey: KeyObject
  readonly algorithm: string | undefined
  readonly certificateThumbprint?: string | undefined
}

/**
 * The algorithm for a key: its own `alg`, else the best one that the other side announces. Where nothing is announced RSA keys use RS256,
 * which every OpenID Provider takes (OpenID Connect Core section 15.1), but those with a certificate PS256, as Entra wants it, which
 * announces nothing; and Ed25519 is written `EdDSA`.
 *
 * @param announced what the other side says it takes
 * @param allowed what our own rules allow, whatever is announced
 * @returns `undefined` when there is none for both sides
 */
export function chooseAlgorithm(
  { privateKey, algorithm: pinned, certificateThumbprint }: ChoosableKey,
  announced: readonly string[] | undefined,
  allowed?: readonly SigningAlgorithm[],
): SigningAlgorithm | undefined {
  const able = algorithmsOf(privateKey)
    .filter((each) => pinned === undefined || isSameFamily(each, pinned))
    .filter((each) => allowed === undefined || allowed.includes(each))
  if (announced !== undefined) return able.find((each) => announced.includes(each))
  const usual = certificateThumbprint === undefined ? 'RS256' : 'PS256'
  return able.find((each) => each === usual) ?? able[0]
}

/** A key that is marked `EdDSA` may be used under its other name too. */
function isSameFamily(algorithm: SigningAlgorithm, pinned: string): boolean {
  return algorithm === pinned || (/^Ed/.test(algorithm) && /^Ed/.test(pinned))
}

/** The digest of an algorithm, as `node:crypto` names it; Ed25519 has its own inside. */
export function digestOf(algorithm: SigningAlgorithm): string | null {
  return /^Ed/.test(algorithm) ? null : 'sha256'
}

/** What `sign` and `verify` of `node:crypto` want besides the key: fixed-length ECDSA signatures, and PSS with a salt of the digest's length. */
export function signatureOptions(algorithm: SigningAlgorithm): Omit<SignKeyObjectInput, 'key'> {
  if (algorithm === 'ES256') return { dsaEncoding: 'ieee-p1363' }
  if (algorithm !== 'PS256') return {}
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
}
