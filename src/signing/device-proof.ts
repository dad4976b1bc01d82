import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { isSignedBy } from './jws.ts'
import { publicMembers } from './thumbprints.ts'
import { splitJws, type UntrustedJws } from './untrusted-jws.ts'

/** A proof of a device whose signature holds. Whoever took it has to see that the challenge is one of ours and was not used before. */
export interface DeviceProof {
  /** The challenge that was answered (`jti`). */
  readonly untrustedChallenge: string
  /** The public half of the key that signed, a JWK. */
  readonly publicJwk: Readonly<Record<string, string>>
}

/** A challenge and a key make some 400 characters. */
const longestProof = 2_048

/**
 * Verifies the proof with which a browser registers the key of its device (Device Bound Session Credentials, "Secure-Session-Response"): the
 * key stands in its header.
 *
 * @param untrustedHeader the header's value: the JWS, or it in quotes (RFC 8941 section 3.3.3)
 */
export function verifyRegistration(untrustedHeader: string | undefined): DeviceProof | undefined {
  const jws = openProof(untrustedHeader)
  const jwk = jws === undefined ? undefined : publicKeyIn(jws)
  return jws === undefined || jwk === undefined ? undefined : verified(jws, jwk)
}

/** The same for a key that is known already. */
export function verifyRenewal(
  untrustedHeader: string | undefined,
  publicJwk: Readonly<Record<string, unknown>>,
): DeviceProof | undefined {
  const jws = openProof(untrustedHeader)
  const known = publicMembers(publicJwk)
  return jws === undefined || known === undefined ? undefined : verified(jws, known)
}

function openProof(untrustedHeader: string | undefined): UntrustedJws | undefined {
  const [, text] = /^"?([A-Za-z0-9_.-]+)"?$/.exec(untrustedHeader ?? '') ?? []
  const jws = splitJws(text ?? '', longestProof)
  if (typeof jws === 'string') return undefined
  return jws.header.typ === 'dbsc+jwt' && jws.header.alg === 'ES256' ? jws : undefined
}

function publicKeyIn({ header: { jwk } }: UntrustedJws): Readonly<Record<string, string>> | undefined {
  if (typeof jwk !== 'object' || jwk === null || Object.hasOwn(jwk, 'd')) return undefined
  return publicMembers({ ...jwk })
}

function verified(jws: UntrustedJws, publicJwk: Readonly<Record<string, string>>): DeviceProof | undefined {
  const publicKey = importKey(publicJwk)
  const { jti } = jws.payload
  if (publicKey === undefined || typeof jti !== 'string') return undefined
  const isGood = isSignedBy(jws.input, jws.signature, { publicKey, algorithm: 'ES256' })
  return isGood ? { untrustedChallenge: jti, publicJwk } : undefined
}

function importKey(jwk: JsonWebKey): KeyObject | undefined {
  if (jwk.kty !== 'EC' || jwk.crv !== 'P-256') return undefined
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return undefined
  }
}
