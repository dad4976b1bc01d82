import { canonicalHeaderName } from '../../basics/header-name.ts'

/** How many spellings of unlisted names are remembered; names come from clients, so the memory is bounded. */
const rememberedSpellings = 512

/**
 * A lookup from a header's name, as it was spelled, to what is done with it. Usual spellings are found at once, others are
 * classified and remembered.
 *
 * @param classify decides for a name in lower case, underscores kept
 * @param usualNames lower-case names that are worth knowing in advance
 */
export function createNameTable<Action>(
  classify: (lowerCaseName: string) => Action,
  usualNames: readonly string[],
): (name: string) => Action {
  const table = new Map<string, Action>()
  for (const name of usualNames) {
    table.set(name, classify(name))
    table.set(titleCase(name), classify(name))
  }
  const limit = table.size + rememberedSpellings
  return (name) => {
    const known = table.get(name)
    if (known !== undefined) return known
    const action = classify(name.toLowerCase())
    if (table.size < limit) table.set(name, action)
    return action
  }
}

function titleCase(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase())
}

/** The names that a `Connection` header lists, canonical; `undefined` when it lists none beyond the usual two. */
export function connectionListed(untrustedConnection: string | undefined): ReadonlySet<string> | undefined {
  if (untrustedConnection === undefined || /^(?:keep-alive|close|upgrade)$/i.test(untrustedConnection)) {
    return undefined
  }
  return new Set(untrustedConnection.split(',').map((name) => canonicalHeaderName(name.trim())))
}

/** A flat list of headers without those that are listed; rare, so it costs nothing unless it happens. */
export function withoutListed(headers: readonly string[], listed: ReadonlySet<string>): string[] {
  const kept: string[] = []
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? ''
    if (!listed.has(canonicalHeaderName(name))) kept.push(name, headers[at + 1] ?? '')
  }
  return kept
}
