const loopWindowMs = 60_000
const loginsPerWindow = 2
const storageKey = 'coatcheck:logins'

/**
 * Counts a login that no person asked for, and says whether it would be one too many: a page that signs in at every load and is
 * never signed in would go round for ever.
 *
 * @param nowMs epoch milliseconds
 */
export function isLoginLoop(nowMs: number): boolean {
  const stored = sessionStorage.getItem(storageKey)?.split(',').map(Number) ?? []
  const recent = stored.filter((time) => nowMs - time < loopWindowMs)
  if (recent.length >= loginsPerWindow) return true
  sessionStorage.setItem(storageKey, [...recent, nowMs].join(','))
  return false
}
