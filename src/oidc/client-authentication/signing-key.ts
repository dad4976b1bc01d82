import type { KeyObject } from 'node:crypto'
import type { PrivateKey as LibraryKey, ModifyAssertionFunction } from 'openid-client'
import { GatewayError } from '../../errors/gateway-error.ts'
import { chooseAlgorithm, type SigningAlgorithm } from '../../signing/algorithms.ts'
import type { PrivateKey } from '../../signing/signing-keys.ts'

/** A private key in the form that the OpenID library signs with. */
export interface LibrarySigner {
  readonly key: LibraryKey
  /** Writes into a JWT's header what the library does not know. */
  readonly modify: ModifyAssertionFunction
}

/** The algorithms as WebCrypto names them; the library takes from them what it writes into `alg`. */
const webCryptoNames: Readonly<Record<SigningAlgorithm, Parameters<KeyObject['toCryptoKey']>[0]>> = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  EdDSA: 'Ed25519',
  Ed25519: 'Ed25519',
}

/**
 * Makes the OpenID library sign with a key.
 *
 * @param announced what the provider says it takes
 * @param allowed what a security profile allows
 * @throws GatewayError `provider_rejected` when there is no algorithm for the key and the provider
 */
export function librarySigner(
  key: PrivateKey,
  announced: readonly string[] | undefined,
  allowed?: readonly SigningAlgorithm[],
): LibrarySigner {
  const algorithm = chooseAlgorithm(key, announced, allowed)
  if (algorithm === undefined) {
    throw new GatewayError('provider_rejected', {
      context: { reason: 'the provider takes no algorithm that CLIENT_KEY can sign with' },
    })
  }
  const cryptoKey: unknown = key.privateKey.toCryptoKey(webCryptoNames[algorithm], false, ['sign'])
  // Node's type lists more usages than the one of browsers, which is what the library's types mean where those are loaded.
  const libraryKey = { key: cryptoKey, kid: key.keyId } as LibraryKey
  return { key: libraryKey, modify: (header) => describeKey(header, key, algorithm) }
}

function describeKey(
  header: Record<string, unknown>,
  { certificateThumbprint }: PrivateKey,
  algorithm: SigningAlgorithm,
): void {
  // The library writes Ed25519 (RFC 9864), which older providers do not know.
  header.alg = algorithm
  if (certificateThumbprint !== undefined) header['x5t#S256'] = certificateThumbprint
}
