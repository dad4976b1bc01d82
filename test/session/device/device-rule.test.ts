import { describe, expect, it } from 'vitest'
import { createDeviceRule } from '../../../src/session/device/device-rule.ts'
import type { SessionView } from '../../../src/session/record/session.ts'

const values = { make: () => '', readEnd: (value: string) => (value === 'good' ? 1_000 : undefined) }
const view = { h: 'h' } as SessionView
const publicJwk = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' }

function judge(deviceBinding: 'auto' | 'required', nowMs: number, device: object, value?: string) {
  const rule = createDeviceRule({ deviceBinding, deviceBindingLifetime: 600 }, values, () => nowMs)
  return rule.judge(view, { offeredAtMs: 0, isEnforced: false, ...device }, value)
}

describe('the rule of the bound cookie', () => {
  it('lets an unbound session in, and its streams live, for a minute where binding is required', () => {
    expect(judge('required', 59_999, {})).toEqual({ kind: 'proven', untilMs: 60_000, isFirst: false })
    expect(judge('required', 60_000, {})).toEqual({ kind: 'unproven' })
    expect(judge('auto', 1e9, {})).toEqual({ kind: 'proven', untilMs: undefined, isFirst: false })
  })

  it('takes a good value until a minute after its end at most, and nothing else once it is demanded', () => {
    const untilMs = 1_060_000
    expect(judge('auto', 0, { publicJwk }, 'good')).toEqual({ kind: 'proven', untilMs, isFirst: true })
    const isEnforced = true
    expect(judge('auto', untilMs - 1, { publicJwk, isEnforced }, 'good')).toEqual({
      kind: 'proven',
      untilMs,
      isFirst: false,
    })
    for (const [nowMs, value] of [
      [untilMs, 'good'],
      [0, 'bad'],
      [0, undefined],
    ] as const)
      expect(judge('auto', nowMs, { publicJwk, isEnforced }, value)).toEqual({ kind: 'unproven' })
  })
})
