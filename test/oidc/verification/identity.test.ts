import { describe, expect, it } from 'vitest'
import { sessionExpiryOf } from '../../../src/oidc/verification/identity.ts'

const nowSeconds = 1_800_000_000

describe('the end of the session that an ID token names', () => {
  it('is taken in seconds', () => {
    expect(sessionExpiryOf({ session_expiry: nowSeconds })).toBe(nowSeconds)
  })

  it.each([nowSeconds * 1_000, 0, -1, Number.NaN, `${nowSeconds}`, null, undefined])(
    'is not taken from %j',
    (value) => expect(sessionExpiryOf({ session_expiry: value })).toBeUndefined(),
  )
})
