import { compactDecrypt } from 'jose'
import type { PrivateKey } from '../../signing/signing-keys.ts'
import { CheckError } from '../provider/failures/refusal.ts'
import { countParts, headerOf, isEncrypted } from './untrusted-jwt.ts'

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
const partsOfJws = 3

/**
 * The signed JWT inside of what the provider has encrypted to us (RFC 7519 section 11.2). What is not encrypted is handed back as it is, and
 * so is everything when there is no key: the signature decides all the same.
 *
 * @param token the kind of token, as checks name it
 * @throws CheckError when it opens with none of the keys, or holds no signed JWT
 */
export async function openEncrypted(
  untrustedJwt: string,
  keys: readonly PrivateKey[],
  token: string,
): Promise<string> {
  const opened = await openIfEncrypted(untrustedJwt, keys, token)
  if (opened === undefined) return untrustedJwt
  if (countParts(opened) === partsOfJws) return opened
  throw new CheckError(`${token}.format`, {
    expected: 'a signed JWT inside',
    received: 'an unsigned content',
  })
}

/**
 * What the provider has encrypted to us, whatever it is; `undefined` for what is not encrypted, and when there is no key.
 *
 * @param token the kind of token, as checks name it
 * @throws CheckError when it opens with none of the keys
 */
export async function openIfEncrypted(
  untrustedJwt: string,
  keys: readonly PrivateKey[],
  token: string,
): Promise<string | undefined> {
  if (keys.length === 0 || !isEncrypted(untrustedJwt)) return undefined
  const { kid, alg } = headerOf(untrustedJwt)
  const named = keys.filter(({ keyId }) => keyId === kid)
  for (const { privateKey } of named.length > 0 ? named : keys) {
    const opened = await compactDecrypt(untrustedJwt, privateKey, {
      keyManagementAlgorithms,
      contentEncryptionAlgorithms,
    }).catch(() => undefined)
    if (opened !== undefined) return Buffer.from(opened.plaintext).toString()
  }
  const expected = `one that opens with CLIENT_ENCRYPTION_KEY (${keys.map(({ keyId }) => keyId).join(', ')})`
  throw new CheckError(`${token}.encryption`, { expected, received: [alg, kid] })
}
