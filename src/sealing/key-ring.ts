import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { type MacPurpose, macPurposes, type SealPurpose, sealPurposes } from './purposes.ts'

/** AES-256 and HMAC-SHA-256 both take 256 bits. */
const keyBytes = 32

/** Names the secret in an envelope. Four bytes tell a handful of secrets apart; a collision only costs a second attempt. */
export const keyIdBytes = 4

/** All keys that come from one secret, derived once. */
export interface SecretKeys {
  readonly keyId: Buffer
  readonly seal: Readonly<Record<SealPurpose, KeyObject>>
  readonly mac: Readonly<Record<MacPurpose, KeyObject>>
}

type Derive = (label: string, bytes: number) => Buffer

function derivation(secret: string, frontend: string | undefined): Derive {
  // Labels of the unnamed frontend have no @, so that no two frontends ever share one.
  const prefix = frontend === undefined ? 'coatcheck/1/' : `coatcheck/1/@${frontend}/`
  // The secret is random and long (its parser insists), so HKDF needs no salt (RFC 5869 section 3.1).
  return (label, bytes) => Buffer.from(hkdfSync('sha256', secret, '', `${prefix}${label}`, bytes))
}

function deriveEach<Purpose extends string>(
  derive: Derive,
  kind: string,
  purposes: readonly Purpose[],
): Readonly<Record<Purpose, KeyObject>> {
  const entries = purposes.map((purpose) => {
    const key = createSecretKey(derive(`${kind}/${purpose}`, keyBytes))
    return [purpose, key] as const
  })
  return Object.fromEntries(entries) as Record<Purpose, KeyObject>
}

/**
 * Derives the keys of a secret with HKDF-SHA-256 (RFC 5869). KeyObjects rather than bytes: with bytes every single use on
 * Node 24 costs several times as much.
 *
 * @param frontend its name; what one frontend has sealed or authenticated is nothing at another with the same secret
 */
export function deriveKeys(secret: string, frontend: string | undefined): SecretKeys {
  const derive = derivation(secret, frontend)
  return {
    keyId: derive('key-id', keyIdBytes),
    seal: deriveEach(derive, 'seal', sealPurposes),
    mac: deriveEach(derive, 'mac', macPurposes),
  }
}
