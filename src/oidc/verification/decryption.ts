import { compactDecrypt, decodeProtectedHeader, errors } from 'jose'
import type { PrivateKey } from '../../signing/signing-keys.ts'

/** How the content's key may have been wrapped (RFC 7518 section 4.1); RSA1_5 is broken, and a password is no key of ours. */
const keyManagementAlgorithms = [
  'RSA-OAEP',
  'RSA-OAEP-256',
  'RSA-OAEP-384',
  'RSA-OAEP-512',
  'ECDH-ES',
  'ECDH-ES+A128KW',
  'ECDH-ES+A192KW',
  'ECDH-ES+A256KW',
]
const contentEncryptionAlgorithms = [
  'A128GCM',
  'A192GCM',
  'A256GCM',
  'A128CBC-HS256',
  'A192CBC-HS384',
  'A256CBC-HS512',
]
const partsOfJwe = 5
const partsOfJws = 3

/**
 * The signed JWT inside of what the provider has encrypted to us (RFC 7519 section 11.2). What is not encrypted is handed back as it is, and
 * so is everything when there is no key: the signature decides all the same.
 *
 * @throws errors of jose when it opens with none of the keys, or holds no signed JWT
 */
export async function openEncrypted(untrustedJwt: string, keys: readonly PrivateKey[]): Promise<string> {
  const opened = await openIfEncrypted(untrustedJwt, keys)
  return opened === undefined ? untrustedJwt : signedJwt(opened)
}

/**
 * What the provider has encrypted to us, whatever it is; `undefined` for what is not encrypted, and when there is no key.
 *
 * @throws errors of jose when it opens with none of the keys
 */
export async function openIfEncrypted(
  untrustedJwt: string,
  keys: readonly PrivateKey[],
): Promise<string | undefined> {
  if (keys.length === 0 || countParts(untrustedJwt) !== partsOfJwe) return undefined
  const { kid } = decodeProtectedHeader(untrustedJwt)
  const named = keys.filter(({ keyId }) => keyId === kid)
  for (const { privateKey } of named.length > 0 ? named : keys) {
    const opened = await compactDecrypt(untrustedJwt, privateKey, {
      keyManagementAlgorithms,
      contentEncryptionAlgorithms,
    }).catch(() => undefined)
    if (opened !== undefined) return Buffer.from(opened.plaintext).toString()
  }
  throw new errors.JWEDecryptionFailed()
}

function signedJwt(untrusted: string): string {
  if (countParts(untrusted) !== partsOfJws) throw new errors.JWEInvalid('no signed JWT inside')
  return untrusted
}

function countParts(text: string): number {
  return text.split('.').length
}
