import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isRefreshDue, isUsable, refreshDueAtMs } from '../../../src/oidc/tokens/token-set.ts'

const tokenOf = (lifeMs: number) => ({ value: 't', obtainedAtMs: 1_000, expiresAtMs: 1_000 + lifeMs })
const lives = fc.integer({ min: 1, max: 86_400_000 })

describe('an access token', () => {
  it('is usable when it was just obtained, however short its life', () => {
    fc.assert(fc.property(lives, (lifeMs) => isUsable(tokenOf(lifeMs), 1_000)))
  })

  it('is not usable once it has expired', () => {
    fc.assert(fc.property(lives, (lifeMs) => !isUsable(tokenOf(lifeMs), 1_000 + lifeMs)))
  })

  it('is due for a refresh while it is usable, but not when it was just obtained', () => {
    fc.assert(
      fc.property(lives, (lifeMs) => {
        const token = tokenOf(lifeMs)
        return isUsable(token, refreshDueAtMs(token) - 1) && !isRefreshDue(token, token.obtainedAtMs)
      }),
    )
  })

  it.each([3_600_000, 15_000, 11_000])('of %i ms is usable until 10 s before its end', (lifeMs) => {
    const token = tokenOf(lifeMs)
    expect(isUsable(token, token.expiresAtMs - 10_001)).toBe(true)
    expect(isUsable(token, token.expiresAtMs - 10_000)).toBe(false)
  })

  it('of less than that is usable for half of its life', () => {
    expect(isUsable(tokenOf(4_000), 2_999)).toBe(true)
    expect(isUsable(tokenOf(4_000), 3_000)).toBe(false)
  })
})
