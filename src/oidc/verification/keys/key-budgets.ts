import { createFetchBudget, createSharedBudget, type FetchBudget } from './fetch-budget.ts'
import type { KeyUse } from './key-use.ts'

/** Keys that fail a token response's token are fetched anew at once, so that all logins of a rotation survive it … */
const burstOfFetches = 10
/** … and then once per this long, milliseconds. */
const fetchCooldownMs = 5_000
/** Logout tokens can be forged by anybody: with them the keys are fetched anew once per this long, milliseconds … */
const logoutCooldownMs = 30_000
/** … and besides for tokens that name a session we have, once for each, but for no more than this many. */
const mostNamedSessions = 10

/**
 * Apart, so that forged logout tokens cannot use up what a login needs after a rotation, nor those that name no session of ours what the
 * genuine logout of a session needs, nor callers' tokens either.
 */
export function createKeyBudgets(
  now: () => number,
): (use: KeyUse, claimant: string | undefined) => FetchBudget {
  const tokens = createFetchBudget(burstOfFetches, fetchCooldownMs, now)
  const responses = createFetchBudget(burstOfFetches, fetchCooldownMs, now)
  const strangers = createFetchBudget(1, logoutCooldownMs, now)
  const bearers = createFetchBudget(1, logoutCooldownMs, now)
  const sessions = createSharedBudget(mostNamedSessions, logoutCooldownMs, now)
  return (use, claimant) => {
    if (use.kind === 'response') return responses
    if (use.kind === 'bearer') return bearers
    if (use.kind !== 'logout') return tokens
    return claimant === undefined ? strangers : sessions.of(claimant)
  }
}
