import { createHash, type JsonWebKey, X509Certificate } from 'node:crypto'

/** The members that make a public key, in the order of RFC 7638 section 3.2 (and RFC 8037 section 2). */
const requiredMembers: Readonly<Record<string, readonly (keyof JsonWebKey)[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  RSA: ['e', 'kty', 'n'],
  OKP: ['crv', 'kty', 'x'],
}

/** The members of a JWK that are public, or `undefined` when it is no public key of a known type or a member is no text. */
export function publicMembers(untrustedJwk: JsonWebKey): Readonly<Record<string, string>> | undefined {
  const names = Object.hasOwn(requiredMembers, `${untrustedJwk.kty}`)
    ? requiredMembers[`${untrustedJwk.kty}`]
    : undefined
  const entries = names?.map((name) => [name, untrustedJwk[name]] as const)
  if (entries?.every((entry): entry is readonly [string, string] => typeof entry[1] === 'string') !== true)
    return undefined
  return Object.fromEntries(entries)
}

/**
 * The SHA-256 thumbprint of a public key, base64url (RFC 7638 section 3.1).
 *
 * @throws TypeError when it is no public key of a known type
 */
export function jwkThumbprint(jwk: JsonWebKey): string {
  const members = publicMembers(jwk)
  if (members === undefined) throw new TypeError('no public key of a known type')
  return sha256(JSON.stringify(members))
}

/** `x5t#S256` of a certificate (RFC 7515 section 4.1.8, RFC 8705 section 3.1). @param certificate a certificate, or its PEM text */
export function certificateThumbprint(certificate: X509Certificate | string): string {
  return sha256((typeof certificate === 'string' ? new X509Certificate(certificate) : certificate).raw)
}

/** SHA-256 of a text or bytes, base64url: also `ath` of a DPoP proof (RFC 9449 section 4.2). */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('base64url')
}
