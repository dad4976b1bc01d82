import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { signatureAlgorithms } from '../../config/settings/kinds/algorithm.ts'

const fewestRsaBits = 2_048
const curves: ReadonlySet<unknown> = new Set(['P-256', 'P-384', 'P-521', 'Ed25519'])
const safeAlgorithms: ReadonlySet<unknown> = new Set<string>(signatureAlgorithms)

/**
 * Why a published key cannot verify what the provider signs (RFC 7517 section 4, RFC 7518 section 6), or `undefined` when it can.
 */
export function keyFault(untrusted: unknown): string | undefined {
  if (typeof untrusted !== 'object' || untrusted === null) return 'not a key'
  const key = untrusted as Readonly<Record<string, unknown>>
  return purposeFault(key) ?? materialFault(key)
}

function purposeFault({ use, key_ops: operations, alg }: Readonly<Record<string, unknown>>) {
  if (use !== undefined && use !== 'sig') return `use=${use === 'enc' ? 'enc' : 'unknown'}`
  if (Array.isArray(operations) && !operations.includes('verify')) return 'key_ops without verify'
  return alg === undefined || safeAlgorithms.has(alg) ? undefined : 'for an algorithm that is not taken'
}

function materialFault(key: Readonly<Record<string, unknown>>): string | undefined {
  if (key.kty === 'oct' || key.d !== undefined) return 'a secret'
  if (key.kty !== 'RSA' && !curves.has(key.crv)) return 'of a kind that is not taken'
  try {
    const { asymmetricKeyDetails } = createPublicKey({ key: key as JsonWebKey, format: 'jwk' })
    const bits = asymmetricKeyDetails?.modulusLength
    return bits !== undefined && bits < fewestRsaBits ? `RSA of ${bits} bits` : undefined
  } catch {
    return 'malformed'
  }
}
