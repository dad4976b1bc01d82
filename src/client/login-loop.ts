import { remember, remembered } from './page-storage.ts'

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
  const stored = remembered('sessionStorage', storageKey)?.split(',').map(Number) ?? []
  // Times to come are from before the clock was set back.
  const recent = stored.filter((time) => time <= nowMs && nowMs - time < loopWindowMs)
  if (recent.length >= loginsPerWindow) return true
  remember('sessionStorage', storageKey, [...recent, nowMs].join(','))
  return false
}
