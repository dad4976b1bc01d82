import { decodeProtectedHeader } from 'jose'

const partsOfJwe = 5

/** Whether a JWT has the form of an encrypted one (RFC 7516 section 7.1). */
export function isEncrypted(untrustedJwt: string): boolean {
  return countParts(untrustedJwt) === partsOfJwe
}

/** Three parts, no padding, no white space: decoders of base64 pass over both (RFC 7515 sections 3.1 and 5.2). */
const compactJws = /^[\w-]+\.[\w-]*\.[\w-]*$/

/** Whether a text is the compact serialisation of a signed JWT, to the letter. */
export function isCompactJws(untrustedJwt: string): boolean {
  return compactJws.test(untrustedJwt)
}

/** The parts of a compact serialisation. */
export function countParts(text: string): number {
  return text.split('.').length
}

/** What an unverified JWT says in its header; empty when it has none. */
export function headerOf(untrustedJwt: string): {
  readonly alg?: unknown
  readonly kid?: unknown
  readonly crit?: unknown
} {
  try {
    return decodeProtectedHeader(untrustedJwt)
  } catch {
    return {}
  }
}
