/** Whether something has not been said for an owner before; says so once. Nothing is kept of owners that are gone. */
export type IsFirst<Owner extends WeakKey, Matter extends string> = (owner: Owner, matter: Matter) => boolean

/**
 * Makes the memory of what was said.
 *
 * @param most matters of an owner that are told apart; none of those that come later is a first one
 */
export function createFirstTimes<Owner extends WeakKey, Matter extends string>(
  most = Number.POSITIVE_INFINITY,
): IsFirst<Owner, Matter> {
  const saidOf = new WeakMap<Owner, Set<Matter>>()
  return (owner, matter) => {
    const said = saidOf.get(owner) ?? new Set()
    saidOf.set(owner, said)
    if (said.has(matter) || said.size >= most) return false
    said.add(matter)
    return true
  }
}
