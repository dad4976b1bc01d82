import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import { closeEnvelope, hasKeyId, openEnvelope } from './envelope.ts'
import { deriveKeys, type SecretKeys } from './key-ring.ts'
import type { MacPurpose, SealPurpose } from './purposes.ts'

/** Content of an envelope that opened. */
export interface Opened {
  readonly bytes: Buffer
  /** Whether it was sealed under a secret other than the first, and so should be sealed again when it is next written. */
  readonly stale: boolean
}

/** Seals, opens and authenticates under `SESSION_SECRET`: the first secret seals, all of them open. */
export interface Sealer {
  /**
   * Encrypts with AES-256-GCM.
   *
   * @param context what the content belongs to; it opens only with exactly the same
   */
  seal(purpose: SealPurpose, context: string, bytes: Uint8Array): Buffer
  /** Decrypts; `undefined` for whatever was not sealed by {@link Sealer.seal} for this purpose and context. */
  open(purpose: SealPurpose, context: string, untrusted: Buffer): Opened | undefined
  /**
   * Like {@link Sealer.seal}, under a key that takes both the secret and something that only the holder has, such as a
   * session id. Neither alone opens it.
   */
  sealFor(holderSecret: string, purpose: SealPurpose, context: string, bytes: Uint8Array): Buffer
  /** Opens what {@link Sealer.sealFor} sealed: one derivation, because the envelope names its secret. */
  openFor(holderSecret: string, purpose: SealPurpose, context: string, untrusted: Buffer): Opened | undefined
  /** HMAC-SHA-256 under the first secret, base64url (43 characters). */
  hmac(purpose: MacPurpose, text: string): string
  /** The same under every secret, the first one first: for finding what was written before a rotation. */
  hmacAll(purpose: MacPurpose, text: string): readonly string[]
  /** Whether this is the HMAC of the text under any secret; takes the same time wherever they differ. */
  isHmac(purpose: MacPurpose, text: string, untrustedMac: string): boolean
}

function mac(key: KeyObject, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function holderKey(keys: SecretKeys, purpose: SealPurpose, holderSecret: string): KeyObject {
  return createSecretKey(mac(keys.seal[purpose], holderSecret))
}

/**
 * Derives all keys, once.
 *
 * @param secrets `SESSION_SECRET`: the first seals, all open; at least one
 * @param frontend its name in `FRONTENDS_FILE`; `undefined` without one
 */
export function createSealer(secrets: readonly string[], frontend?: string): Sealer {
  const [current, ...older] = secrets.map((secret) => deriveKeys(secret, frontend))
  if (current === undefined) throw new TypeError('a sealer needs at least one secret')
  const ring = [current, ...older]

  const openWith = (
    untrusted: Buffer,
    context: string,
    keyOf: (keys: SecretKeys) => KeyObject,
  ): Opened | undefined => {
    for (const keys of ring) {
      if (!hasKeyId(untrusted, keys.keyId)) continue
      const bytes = openEnvelope(untrusted, keyOf(keys), context)
      if (bytes !== undefined) return { bytes, stale: keys !== current }
    }
    return undefined
  }

  return {
    seal: (purpose, context, bytes) => closeEnvelope(current.keyId, current.seal[purpose], context, bytes),
    open: (purpose, context, untrusted) => openWith(untrusted, context, (keys) => keys.seal[purpose]),
    sealFor: (holderSecret, purpose, context, bytes) =>
      closeEnvelope(current.keyId, holderKey(current, purpose, holderSecret), context, bytes),
    openFor: (holderSecret, purpose, context, untrusted) =>
      openWith(untrusted, context, (keys) => holderKey(keys, purpose, holderSecret)),
    hmac: (purpose, text) => mac(current.mac[purpose], text).toString('base64url'),
    hmacAll: (purpose, text) => ring.map((keys) => mac(keys.mac[purpose], text).toString('base64url')),
    isHmac: (purpose, text, untrustedMac) =>
      ring.some((keys) => isSame(mac(keys.mac[purpose], text), untrustedMac)),
  }
}

function isSame(expected: Buffer, untrustedMac: string): boolean {
  const untrusted = Buffer.from(untrustedMac)
  const text = Buffer.from(expected.toString('base64url'))
  return untrusted.length === text.length && timingSafeEqual(untrusted, text)
}
