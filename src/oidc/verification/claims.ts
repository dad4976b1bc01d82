/** Claims of a token, by name. */
export type Claims = Readonly<Record<string, unknown>>

/**
 * A claim by its name, or by a JSON Pointer (RFC 6901) when the name begins with a slash; `undefined` when it is not there. Only own
 * members count.
 */
export function claimOf(claims: Claims, name: string): unknown {
  if (!name.startsWith('/')) return Object.hasOwn(claims, name) ? claims[name] : undefined
  let found: unknown = claims
  for (const escaped of name.slice(1).split('/')) {
    if (typeof found !== 'object' || found === null) return undefined
    const step = escaped.replaceAll('~1', '/').replaceAll('~0', '~')
    if (!Object.hasOwn(found, step)) return undefined
    found = Reflect.get(found, step)
  }
  return found
}

/** The claims that somebody asks for, under the names by which they are asked for; those that are missing are left out. */
export function pickClaims(claims: Claims, names: readonly string[]): Claims {
  const picked: [string, unknown][] = []
  for (const name of names) {
    const value = claimOf(claims, name)
    if (value !== undefined) picked.push([name, value])
  }
  return Object.fromEntries(picked)
}
