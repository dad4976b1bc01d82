import type { JsonWebKey, KeyObject } from 'node:crypto'
import { publicHalf, readKeyMaterial } from '../config/settings/kinds/private-keys.ts'
import { algorithmsOf, type SigningAlgorithm } from './algorithms.ts'
import { certificateThumbprint, jwkThumbprint } from './thumbprints.ts'

/** A private key, ready for use. Never written to a log: it has no text form. */
export interface PrivateKey {
  readonly privateKey: KeyObject
  /** `kid`: the JWK's own, else its thumbprint (RFC 7638). */
  readonly keyId: string
  /** `alg` of its JWK: it is for this algorithm alone. */
  readonly algorithm: string | undefined
  /** The public members alone. */
  readonly publicJwk: Readonly<JsonWebKey>
  /** `x5t#S256`, for providers that know a key by its certificate (Entra); `undefined` without one beside the key. */
  readonly certificateThumbprint: string | undefined
}

/**
 * Reads private keys from PEM (PKCS#8), a JWK or a JWK Set; the first one is the one that signs.
 *
 * @throws ValueFault whose message repeats nothing of the text
 */
export function readPrivateKeys(text: string): readonly [PrivateKey, ...PrivateKey[]] {
  const [first, ...others] = readKeyMaterial(text).map(
    ({ privateKey, keyId, algorithm, certificate }): PrivateKey => {
      const publicJwk = publicHalf(privateKey).export({ format: 'jwk' })
      return {
        privateKey,
        keyId: keyId ?? jwkThumbprint(publicJwk),
        algorithm,
        publicJwk,
        certificateThumbprint: certificate === undefined ? undefined : certificateThumbprint(certificate),
      }
    },
  )
  if (first === undefined) throw new TypeError('the settings let no empty key set through')
  return [first, ...others]
}

/** A public key as it stands in a JWK Set. */
export type PublishedKey = Readonly<JsonWebKey> & { readonly kid: string; readonly use: 'sig' | 'enc' }

/**
 * The public halves, as a provider or an API reads them (RFC 7517 section 5). `alg` stands there only where a key can be used with one
 * algorithm: one that says PS256 would be refused with RS256.
 */
export function publishedKeys(keys: readonly PrivateKey[], use: 'sig' | 'enc'): readonly PublishedKey[] {
  return keys.map(({ publicJwk, keyId, privateKey, algorithm }) => ({
    ...publicJwk,
    kid: keyId,
    use,
    ...algorithmMember(algorithm ?? (use === 'sig' ? onlyAlgorithm(privateKey) : undefined)),
  }))
}

function algorithmMember(alg: string | undefined): { readonly alg?: string } {
  return alg === undefined ? {} : { alg }
}

function onlyAlgorithm(key: KeyObject): SigningAlgorithm | undefined {
  const able = algorithmsOf(key)
  return able.length === 1 ? able[0] : undefined
}
