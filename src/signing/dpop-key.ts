import {
  createECDH,
  createPrivateKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto'
import { encode } from './jws.ts'
import { jwkThumbprint } from './thumbprints.ts'

/** The key that tokens are bound to (RFC 9449): P-256, because ES256 is what every provider takes and the fastest to sign with. */
export interface DpopKey {
  readonly privateKey: KeyObject
  readonly publicJwk: Readonly<JsonWebKey>
  /** `jkt`: its thumbprint (RFC 9449 section 6.1). */
  readonly thumbprint: string
  /** The encoded header of its proofs, which never changes. */
  readonly proofHeader: string
  /** What {@link openDpopKey} makes the key from: 43 characters, to be sealed, never written elsewhere. */
  readonly secret: string
}

/** With which all proofs are signed. */
export const proofAlgorithm = 'ES256'

const curve = 'prime256v1'
const coordinateBytes = 32
const secretPattern = /^[A-Za-z0-9_-]{43}$/

/** Makes a key, synchronously: about a tenth of a millisecond. */
export function createDpopKey(): DpopKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: curve })
  return toDpopKey(privateKey, privateKey.export({ format: 'jwk' }))
}

/**
 * The key that {@link DpopKey.secret} was taken from.
 *
 * @throws Error when the text is no such secret
 */
export function openDpopKey(secret: string): DpopKey {
  if (!secretPattern.test(secret)) throw new TypeError('no secret of a DPoP key')
  const ecdh = createECDH(curve)
  ecdh.setPrivateKey(Buffer.from(secret, 'base64url'))
  // 0x04, then both coordinates (SEC 1 section 2.3.3).
  const point = ecdh.getPublicKey()
  const x = point.subarray(1, 1 + coordinateBytes).toString('base64url')
  const y = point.subarray(1 + coordinateBytes).toString('base64url')
  const jwk = { kty: 'EC', crv: 'P-256', x, y, d: secret }
  return toDpopKey(createPrivateKey({ key: jwk, format: 'jwk' }), jwk)
}

function toDpopKey(privateKey: KeyObject, { kty, crv, x, y, d = '' }: JsonWebKey): DpopKey {
  const publicJwk = { kty, crv, x, y } as Readonly<JsonWebKey>
  return {
    privateKey,
    publicJwk,
    thumbprint: jwkThumbprint(publicJwk),
    proofHeader: encode({ typ: 'dpop+jwt', alg: proofAlgorithm, jwk: publicJwk }),
    secret: d,
  }
}
