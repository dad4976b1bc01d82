import { afterEach, describe, expect, it } from 'vitest'
import { createDeviceLeases } from '../../../src/proxy/calls/device-leases.ts'
import type { Call } from '../../../src/proxy/calls/in-flight.ts'
import { eventually } from '../../support/eventually.ts'

const ended: string[] = []
afterEach(() => void ended.splice(0))

const streamOf = (h: string): Call =>
  ({
    session: { h },
    provenUntilMs: 1_000,
    endSession: () => void ended.push(h),
  }) as unknown as Call

describe('streams of bound sessions whose proof is over', () => {
  it('end where no newer proof was seen, and go on for the life of the newer one where it was', async () => {
    const [lapsed, renewed] = [streamOf('lapsed'), streamOf('renewed')]
    const leases = createDeviceLeases({
      sessions: { deviceLivesMs: async (hs) => hs.map((h) => (h === 'renewed' ? 5_000 : 0)) },
      deviceToleranceMs: 100,
      now: () => 1_000,
    })
    leases.doubt(lapsed)
    leases.doubt(renewed)
    leases.ask()
    await eventually(() => expect(ended).toEqual(['lapsed']))
    expect(renewed.provenUntilMs).toBe(6_100)
  })

  it('stay open while the store does not answer for them', async () => {
    let isBack = false
    const asked: string[][] = []
    const leases = createDeviceLeases({
      sessions: {
        async deviceLivesMs(hs) {
          asked.push([...hs])
          if (!isBack) throw new Error('no answer')
          return hs.map((h) => (h === 'half' ? undefined : 0))
        },
      },
      deviceToleranceMs: 0,
      now: () => 1_000,
    })
    const [half, whole] = [streamOf('half'), streamOf('whole')]
    const scan = (): void => {
      leases.doubt(half)
      leases.doubt(whole)
      leases.ask()
    }
    scan()
    // While the question is under way, and for a second after it failed, nobody is asked again.
    scan()
    await eventually(() => expect(asked).toEqual([['half', 'whole']]))
    expect(ended).toEqual([])
    isBack = true
    await eventually(() => {
      scan()
      expect(ended).toContain('whole')
    }, 3_000)
    expect(ended).not.toContain('half')
  })
})
