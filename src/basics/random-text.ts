import { randomFillSync } from 'node:crypto'

/** Random bytes are cheap by the kilobyte and dear by the dozen. */
const supply = Buffer.alloc(4_096)
let usedBytes = supply.length

/**
 * Random text for names that every request gets. Not for secrets: what comes next lies in memory for a while.
 *
 * @param bytes how many random bytes, at most some dozens
 */
export function randomText(bytes: number, encoding: 'hex' | 'base64url'): string {
  if (usedBytes + bytes > supply.length) {
    randomFillSync(supply)
    usedBytes = 0
  }
  const text = supply.toString(encoding, usedBytes, usedBytes + bytes)
  usedBytes += bytes
  return text
}
