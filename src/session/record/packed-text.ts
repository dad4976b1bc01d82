/**
 * Tokens are mostly base64url, which is a third longer than the bytes it stands for. A packed text is either the text itself or
 * the byte lengths of its dot-separated segments, whose bytes stand in the tail, in order.
 */
export type PackedText = string | readonly number[]

/** Packs a text; appends the bytes of its segments to `tail`. Text that is no canonical base64url stays as it is. */
export function packText(text: string, tail: Buffer[]): PackedText {
  const segments: Buffer[] = []
  for (const segment of text.split('.')) {
    const bytes = Buffer.from(segment, 'base64url')
    if (bytes.toString('base64url') !== segment) return text
    segments.push(bytes)
  }
  tail.push(...segments)
  return segments.map((segment) => segment.length)
}

/** Takes packed texts back out of a tail. */
export interface TailReader {
  /** `undefined` when this is no packed text or the tail is too short for it. */
  text(untrustedPacked: unknown): string | undefined
  /** Whether the tail was used up to its last byte. */
  isAtEnd(): boolean
}

/** Reads a tail from its beginning; texts must be asked for in the order in which they were packed. */
export function readTail(tail: Buffer): TailReader {
  let offset = 0
  const segment = (length: unknown): string | undefined => {
    if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < 0) return undefined
    if (length > tail.length - offset) return undefined
    const start = offset
    offset += length
    return tail.toString('base64url', start, offset)
  }
  return {
    text(untrustedPacked) {
      if (typeof untrustedPacked === 'string') return untrustedPacked
      if (!Array.isArray(untrustedPacked) || untrustedPacked.length === 0) return undefined
      const segments = untrustedPacked.map(segment)
      return segments.includes(undefined) ? undefined : segments.join('.')
    },
    isAtEnd: () => offset === tail.length,
  }
}
