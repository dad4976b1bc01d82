const longestText = 240

/**
 * Text from outside for a terminal: one line, bounded, without anything that could move the cursor or hide what follows.
 */
export function plainText(untrusted: unknown): string {
  const text = typeof untrusted === 'string' ? untrusted : ''
  const oneLine = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim()
  return oneLine.length > longestText ? `${oneLine.slice(0, longestText)}…` : oneLine
}

/** The same in quotation marks. */
export function quoted(untrusted: unknown): string {
  return `"${plainText(untrusted)}"`
}
