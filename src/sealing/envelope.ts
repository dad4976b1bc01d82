import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'
import { keyIdBytes } from './key-ring.ts'

const algorithm = 'aes-256-gcm'
/** The size GCM is made for (NIST SP 800-38D section 8.2.2): random ones are safe for 2^32 seals under one key. */
const ivBytes = 12
const tagBytes = 16
const headerBytes = keyIdBytes + ivBytes

/** Bytes that an envelope is longer than its content. */
export const envelopeOverheadBytes = headerBytes + tagBytes

/**
 * Encrypts into an envelope: key id, IV, ciphertext, tag.
 *
 * @param associated what the content belongs to; the envelope opens only with exactly the same
 */
export function closeEnvelope(
  keyId: Buffer,
  key: KeyObject,
  associated: string,
  content: Uint8Array,
): Buffer {
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv(algorithm, key, iv, { authTagLength: tagBytes })
  cipher.setAAD(Buffer.from(associated))
  const body = cipher.update(content)
  cipher.final()
  return Buffer.concat([keyId, iv, body, cipher.getAuthTag()])
}

/** Whether an envelope says that it was closed under this key id, and is long enough to be one. */
export function hasKeyId(untrustedEnvelope: Buffer, keyId: Buffer): boolean {
  return (
    untrustedEnvelope.length >= envelopeOverheadBytes &&
    untrustedEnvelope.readUIntBE(0, keyIdBytes) === keyId.readUIntBE(0, keyIdBytes)
  )
}

/** Decrypts an envelope for which {@link hasKeyId} holds; `undefined` when key, associated text or bytes do not match. */
export function openEnvelope(
  untrustedEnvelope: Buffer,
  key: KeyObject,
  associated: string,
): Buffer | undefined {
  const bodyEnd = untrustedEnvelope.length - tagBytes
  const iv = untrustedEnvelope.subarray(keyIdBytes, headerBytes)
  const decipher = createDecipheriv(algorithm, key, iv, { authTagLength: tagBytes })
  decipher.setAAD(Buffer.from(associated))
  decipher.setAuthTag(untrustedEnvelope.subarray(bodyEnd))
  const content = decipher.update(untrustedEnvelope.subarray(headerBytes, bodyEnd))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return content
}
