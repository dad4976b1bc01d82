import { type KeyObject, sign, verify } from 'node:crypto'
import { digestOf, type SigningAlgorithm, signatureOptions } from './algorithms.ts'
import { toJoseSignature } from './ecdsa-signature.ts'

/** What a JWS is signed with. */
export interface JwsKey {
  readonly privateKey: KeyObject
  readonly algorithm: SigningAlgorithm
}

/**
 * Signs a JWT (RFC 7515 section 7.1), synchronously: for one small signature that costs less than a promise and a turn of WebCrypto.
 *
 * @param header what stands there besides `alg`, such as `typ` and `kid`
 */
export function signJwt(
  header: Readonly<Record<string, unknown>>,
  payload: Readonly<Record<string, unknown>>,
  key: JwsKey,
): string {
  const input = `${encode({ ...header, alg: key.algorithm })}.${encode(payload)}`
  return `${input}.${signatureOf(input, key)}`
}

/** The signature over a signing input (RFC 7515 section 5.1), base64url. */
export function signatureOf(input: string, { privateKey, algorithm }: JwsKey): string {
  const bytes = Buffer.from(input)
  if (algorithm === 'ES256') return toJoseSignature(sign('sha256', bytes, privateKey)).toString('base64url')
  const options = { key: privateKey, ...signatureOptions(algorithm) }
  return sign(digestOf(algorithm), bytes, options).toString('base64url')
}

/** Whether the signature over a signing input is this key's. */
export function isSignedBy(
  input: string,
  untrustedSignature: Uint8Array,
  { publicKey, algorithm }: { readonly publicKey: KeyObject; readonly algorithm: SigningAlgorithm },
): boolean {
  const options = { key: publicKey, ...signatureOptions(algorithm) }
  return verify(digestOf(algorithm), Buffer.from(input), options, untrustedSignature)
}

/** A part of a compact JWS. */
export function encode(part: Readonly<Record<string, unknown>>): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
