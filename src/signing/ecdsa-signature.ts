const integerTag = 0x02
/** Length of each of the two integers of an ES256 signature, bytes. */
const integerBytes = 32
/** Where the first integer's tag stands: behind the tag and the length of the sequence, which for P-256 is one byte. */
const firstInteger = 2

/**
 * An ES256 signature as JWS wants it (RFC 7518 section 3.4), from the DER that `sign` of `node:crypto` writes when it is given a bare key.
 * Asked for this form itself, it takes the key within options, and finds out what they are by exceptions with stack traces, which cost more
 * than the signature.
 *
 * @param der `ECDSA-Sig-Value` (RFC 3279 section 2.2.3) over P-256
 */
export function toJoseSignature(der: Buffer): Buffer {
  const signature = Buffer.allocUnsafe(2 * integerBytes)
  const next = copyInteger(der, firstInteger, signature, integerBytes)
  copyInteger(der, next, signature, 2 * integerBytes)
  return signature
}

/**
 * Copies an integer so that it ends at a place, with zeros before it; returns where the next one begins. DER has no leading zeros but the one of a
 * sign. Byte by byte: for so few, the call that copies costs more.
 */
function copyInteger(der: Buffer, at: number, target: Buffer, targetEnd: number): number {
  const length = der[at + 1]
  if (der[at] !== integerTag || length === undefined) throw new TypeError('no ECDSA signature')
  const end = at + 2 + length
  const distance = targetEnd - end
  const start = Math.max(at + 2, end - integerBytes)
  for (let place = end - integerBytes; place < end; place += 1)
    target[place + distance] = place < start ? 0 : (der[place] ?? 0)
  return end
}
