import {
  createPrivateKey,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  X509Certificate,
} from 'node:crypto'
import { type Parser, ValueFault } from '../setting.ts'

/** A private key as a setting or a file holds it, before anybody has chosen what to do with it. */
export interface KeyMaterial {
  readonly privateKey: KeyObject
  /** `kid` of a JWK; PEM has none. */
  readonly keyId: string | undefined
  /** `alg` of a JWK: the key is for this one alone (RFC 7517 section 4.4). */
  readonly algorithm: string | undefined
  /** The certificate of this very key that stands beside it in the PEM text. */
  readonly certificate: X509Certificate | undefined
}

/** RFC 8725 section 3.5 and FAPI 2.0 section 5.4.2. */
const leastRsaBits = 2_048
const mostKeys = 16
const pemKey = /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----[\s\S]+?-----END ([A-Z]+ )?PRIVATE KEY-----/g
const pemCertificate = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/**
 * Reads private keys: PEM (PKCS#8; several after one another, each with its certificate if there is one), a JWK, or a JWK Set
 * (RFC 7517 sections 4 and 5). The order is kept, because the first key is the one that signs.
 *
 * @throws ValueFault that never repeats anything of the text
 */
export function readKeyMaterial(untrusted: string): readonly KeyMaterial[] {
  const keys = untrusted.trimStart().startsWith('{') ? readJwks(untrusted) : readPem(untrusted)
  if (keys.length > mostKeys) throw new ValueFault(`holds more than ${mostKeys} keys`)
  for (const { privateKey } of keys) {
    expectStrong(privateKey)
    expectPublishable(privateKey)
  }
  return keys
}

function readPem(untrusted: string): readonly KeyMaterial[] {
  if (/ENCRYPTED/.test(untrusted))
    throw new ValueFault('is a key with a passphrase, which nobody could type in')
  const texts = untrusted.match(pemKey)
  if (texts === null) {
    throw new ValueFault('is no private key: PEM (-----BEGIN PRIVATE KEY-----), a JWK or a JWK Set')
  }
  const certificates = (untrusted.match(pemCertificate) ?? []).map(readCertificate)
  return texts.map((text) => {
    const privateKey = toPrivateKey(() => createPrivateKey(text))
    const certificate = certificates.find((each) => each.checkPrivateKey(privateKey))
    return { privateKey, keyId: undefined, algorithm: undefined, certificate }
  })
}

function readCertificate(text: string): X509Certificate {
  try {
    return new X509Certificate(text)
  } catch {
    throw new ValueFault('holds a certificate that cannot be read')
  }
}

/** What Node says about a key it cannot read may repeat parts of it. */
function toPrivateKey(create: () => KeyObject): KeyObject {
  try {
    return create()
  } catch {
    throw new ValueFault('holds a private key that cannot be read')
  }
}

function readJwks(untrusted: string): readonly KeyMaterial[] {
  const parsed = parseJson(untrusted)
  const members: unknown = Object.hasOwn(parsed, 'keys') ? Reflect.get(parsed, 'keys') : [parsed]
  if (!Array.isArray(members) || members.length === 0) throw new ValueFault('is a JWK Set without keys')
  return members.map(readJwk)
}

function parseJson(untrusted: string): object {
  try {
    const parsed: unknown = JSON.parse(untrusted)
    if (typeof parsed === 'object' && parsed !== null) return parsed
  } catch {
    // Said below, without the text.
  }
  throw new ValueFault('begins like a JWK but is no JSON object')
}

function readJwk(untrusted: unknown): KeyMaterial {
  if (typeof untrusted !== 'object' || untrusted === null) throw new ValueFault('holds a key that is no JWK')
  const jwk = untrusted as JsonWebKey
  if (typeof jwk.d !== 'string')
    throw new ValueFault('holds a JWK without a private part (d): the public half is not enough')
  const privateKey = toPrivateKey(() => createPrivateKey({ key: jwk, format: 'jwk' }))
  return {
    privateKey,
    keyId: textOf(jwk.kid),
    algorithm: textOf(jwk.alg),
    certificate: certificateOf(jwk, privateKey),
  }
}

/** `x5c` of a JWK (RFC 7517 section 4.7), when its first certificate is this key's. */
function certificateOf({ x5c }: JsonWebKey, privateKey: KeyObject): X509Certificate | undefined {
  const first: unknown = Array.isArray(x5c) ? x5c[0] : undefined
  if (typeof first !== 'string') return undefined
  const certificate = readCertificate(`-----BEGIN CERTIFICATE-----\n${first}\n-----END CERTIFICATE-----`)
  return certificate.checkPrivateKey(privateKey) ? certificate : undefined
}

function textOf(untrusted: unknown): string | undefined {
  return typeof untrusted === 'string' && /^[\x20-\x7e]{1,256}$/.test(untrusted) ? untrusted : undefined
}

function expectStrong(privateKey: KeyObject): void {
  const { modulusLength } = privateKey.asymmetricKeyDetails ?? {}
  if (modulusLength !== undefined && modulusLength < leastRsaBits)
    throw new ValueFault(`holds an RSA key of ${modulusLength} bits; at least ${leastRsaBits} are needed`)
}

/** A JWK has no way to say that a key is for RSA-PSS alone, and Node exports none. */
function expectPublishable({ asymmetricKeyType: kind }: KeyObject): void {
  if (kind === 'rsa-pss')
    throw new ValueFault('holds a key for RSA-PSS alone (rsa-pss): a plain RSA key signs PS256, too')
}

const signingKinds = new Set(['rsa', 'ed25519'])
const encryptionKinds = new Set(['rsa', 'x25519'])
const encryptionCurves = new Set(['prime256v1', 'secp384r1', 'secp521r1'])

/** Keys that sign: P-256 (ES256), RSA (PS256, RS256) and Ed25519 (EdDSA). The text stays text: it may be read again. */
export const signingKeys: Parser<string> = (untrusted) => {
  for (const { privateKey } of readKeyMaterial(untrusted)) {
    if (!signingKinds.has(privateKey.asymmetricKeyType ?? '') && curveOf(privateKey) !== 'prime256v1')
      throw new ValueFault('holds a key that is neither P-256 nor RSA nor Ed25519')
  }
  return untrusted
}

/** Keys that sign the gateway's own tokens: ES256 and nothing else, as every JWT library verifies it. */
export const gatewayKeys: Parser<string> = (untrusted) => {
  for (const { privateKey, algorithm = 'ES256' } of readKeyMaterial(untrusted)) {
    if (curveOf(privateKey) !== 'prime256v1') throw new ValueFault('holds a key that is not of P-256')
    if (algorithm !== 'ES256') throw new ValueFault('holds a JWK that is not for ES256')
  }
  return untrusted
}

/** Keys that others encrypt to: RSA (RSA-OAEP), or a curve of NIST's or X25519 (ECDH-ES). */
export const encryptionKeys: Parser<string> = (untrusted) => {
  for (const { privateKey } of readKeyMaterial(untrusted)) {
    if (
      !encryptionKinds.has(privateKey.asymmetricKeyType ?? '') &&
      !encryptionCurves.has(curveOf(privateKey))
    )
      throw new ValueFault('holds a key that is neither RSA nor P-256, P-384, P-521 nor X25519')
  }
  return untrusted
}

function curveOf(key: KeyObject): string {
  return key.asymmetricKeyDetails?.namedCurve ?? ''
}

/** The public half of a private key. */
export function publicHalf(privateKey: KeyObject): KeyObject {
  return createPublicKey(privateKey)
}
