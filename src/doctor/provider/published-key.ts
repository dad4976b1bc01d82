import { createPublicKey, type JsonWebKey } from 'node:crypto'

const fewestRsaBits = 2_048
/** The kind of key, by `crv` or `kty`, and what signs with it. */
const kinds: Readonly<Record<string, RegExp>> = {
  RSA: /^[RP]S/,
  'P-256': /^ES256$/,
  'P-384': /^ES384$/,
  'P-521': /^ES512$/,
  Ed25519: /^Ed/,
}

/**
 * Why a published key cannot verify what the provider signs (RFC 7517 section 4, RFC 7518 section 6), or `undefined` when it can.
 *
 * @param algorithms those that are taken, both names of EdDSA when one is
 */
export function keyFault(untrusted: unknown, algorithms: readonly string[]): string | undefined {
  if (typeof untrusted !== 'object' || untrusted === null) return 'not a key'
  const key = untrusted as Readonly<Record<string, unknown>>
  return purposeFault(key, algorithms) ?? materialFault(key, algorithms)
}

function purposeFault(
  { use, key_ops: operations, alg }: Readonly<Record<string, unknown>>,
  algorithms: readonly unknown[],
) {
  if (use !== undefined && use !== 'sig') return `use=${use === 'enc' ? 'enc' : 'unknown'}`
  if (Array.isArray(operations) && !operations.includes('verify')) return 'key_ops without verify'
  return alg === undefined || algorithms.includes(alg) ? undefined : 'for an algorithm that is not taken'
}

function materialFault(
  key: Readonly<Record<string, unknown>>,
  algorithms: readonly string[],
): string | undefined {
  if (key.kty === 'oct' || key.d !== undefined) return 'a secret'
  const signers = kinds[String(key.kty === 'RSA' ? 'RSA' : key.crv)]
  if (signers === undefined || !algorithms.some((name) => signers.test(name)))
    return 'of a kind that is not taken'
  try {
    const { asymmetricKeyDetails } = createPublicKey({ key: key as JsonWebKey, format: 'jwk' })
    const bits = asymmetricKeyDetails?.modulusLength
    return bits !== undefined && bits < fewestRsaBits ? `RSA of ${bits} bits` : undefined
  } catch {
    return 'malformed'
  }
}
