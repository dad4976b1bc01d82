/**
 * Splits a comma-separated header value where commas are not inside a quoted string (RFC 9110 section 5.6.1). `undefined` when
 * a quote is left open: such a value cannot be read safely.
 */
export function splitQuotedList(value: string): readonly string[] | undefined {
  const items: string[] = []
  let start = 0
  let quoted = false
  for (let at = 0; at < value.length; at += 1) {
    const character = value[at]
    if (quoted && character === '\\') at += 1
    else if (character === '"') quoted = !quoted
    else if (character === ',' && !quoted) {
      items.push(value.slice(start, at).trim())
      start = at + 1
    }
  }
  if (quoted) return undefined
  items.push(value.slice(start).trim())
  return items.filter((item) => item !== '')
}
