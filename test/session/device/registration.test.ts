import { describe, expect, it } from 'vitest'
import { isOpenToDevice, withDemand, withDevice } from '../../../src/session/device/registration.ts'
import type { SessionRecord } from '../../../src/session/record/session.ts'

const first = { kty: 'EC', crv: 'P-256', x: 'first', y: 'y' }
const second = { ...first, x: 'second' }
const nowMs = 1_800_000_000_000
const recordOf = (device?: SessionRecord['device']): SessionRecord =>
  ({ ...(device === undefined ? {} : { device }) }) as SessionRecord

describe('the registration of a device', () => {
  it('is open to any at first, then to none for ten seconds, then to another until the cookie was seen', () => {
    expect(isOpenToDevice(undefined, nowMs)).toBe(true)
    const registered = withDevice(recordOf({ offeredAtMs: 5, isEnforced: false }), first, nowMs)
    expect(registered.device).toEqual({
      offeredAtMs: 5,
      publicJwk: first,
      registeredAtMs: nowMs,
      isEnforced: false,
    })
    expect(withDevice(registered, second, nowMs + 9_999)).toBe(registered)
    expect(withDevice(registered, second, nowMs + 10_000).device).toMatchObject({ publicJwk: second })
    const seen = withDemand(registered, first)
    expect(seen.device?.isEnforced).toBe(true)
    expect(withDevice(seen, second, nowMs + 1e9)).toBe(seen)
  })

  it('is not made final by the cookie of a key that another one has taken the place of', () => {
    const registered = withDevice(withDevice(recordOf(), first, nowMs), second, nowMs + 10_000)
    expect(withDemand(registered, first)).toBe(registered)
    expect(withDemand(registered, second).device?.isEnforced).toBe(true)
  })

  it('that an older version has written is not made anew for ever', () => {
    const device = { offeredAtMs: 5, publicJwk: first, isEnforced: false }
    expect(isOpenToDevice(device, nowMs)).toBe(true)
    expect(isOpenToDevice({ ...device, isEnforced: true }, nowMs)).toBe(false)
  })
})
