import { type AccessToken, isRefreshDue, isUsable } from '../../oidc/tokens/token-set.ts'

/**
 * A token is not asked for again within this time. For ordinary tokens it changes nothing; one with next to no life, or none, is
 * used this long instead of being refreshed by every request. No longer, or a token that has expired would be sent. Milliseconds.
 */
const leastUseMs = 1_000

/** Another node's clock may be a little ahead, so a moment in the near future counts as well. */
function isJustObtained(token: AccessToken, nowMs: number): boolean {
  return Math.abs(nowMs - token.obtainedAtMs) < leastUseMs
}

/** Whether the token may be sent. */
export function isSendable(token: AccessToken, nowMs: number): boolean {
  return isUsable(token, nowMs) || isJustObtained(token, nowMs)
}

/** Whether a refresh should be started. */
export function isDue(token: AccessToken, nowMs: number): boolean {
  return isRefreshDue(token, nowMs) && !isJustObtained(token, nowMs)
}
