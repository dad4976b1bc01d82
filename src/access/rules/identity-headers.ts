import type { Claims } from '../../oidc/verification/claims.ts'

/** What would end a header, or be read as something else: everything outside printable ASCII, the sign of the encoding itself, and blanks at the ends. */
const encoded = /[^\u0020-\u007e]|%|^ +| +$/gu

/**
 * The headers that tell an API who calls, as a flat list of names and values. A claim that is absent makes no header.
 *
 * @param names name of the header and of the claim
 * @param claims of the verified identity
 */
export function identityHeaders(
  names: readonly (readonly [header: string, claim: string])[],
  claims: Claims,
): readonly string[] {
  return names.flatMap(([header, claim]) => {
    const text = textOf(claims[claim])
    return text === undefined ? [] : [header, text]
  })
}

function textOf(claim: unknown): string | undefined {
  if (claim === undefined || claim === null) return undefined
  if (Array.isArray(claim) && claim.every(isPlain)) {
    // A comma within an item must not look like the one between two.
    return claim.map((item) => encode(String(item)).replaceAll(',', '%2C')).join(',')
  }
  return encode(isPlain(claim) ? String(claim) : JSON.stringify(claim))
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

function encode(text: string): string {
  return text.toWellFormed().replace(encoded, (part) => encodeURIComponent(part))
}
