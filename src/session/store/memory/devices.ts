import { GatewayError } from '../../../errors/gateway-error.ts'
import type { SessionStore } from '../contract.ts'
import type { StoreKeys } from '../keys.ts'
import type { ExpiringMap } from './expiring.ts'

/** The challenges that a device answered last, the newest first. */
export type DeviceMarks = ExpiringMap<readonly string[]>

/** As many as any browser answers while one challenge is good. */
const mostNoted = 60

/**
 * The renewals of devices in memory.
 *
 * @param most sessions whose devices are noted: a cap of their own, so that they never crowd out other marks
 */
export function memoryDevices(
  marks: DeviceMarks,
  keys: StoreKeys,
  most: number,
): Pick<SessionStore, 'markDevice' | 'deviceLivesMs'> {
  const refuseWhenFull = (key: string): void => {
    if (marks.get(key) !== undefined || marks.size < most) return
    marks.sweep()
    if (marks.size >= most)
      throw new GatewayError('overloaded', { context: { reason: 'memory store full of devices', most } })
  }
  return {
    async markDevice(h, challenge, ttlMs) {
      const key = keys.device(h)
      refuseWhenFull(key)
      const noted = marks.get(key) ?? []
      if (noted.includes(challenge)) return false
      marks.set(key, [challenge, ...noted].slice(0, mostNoted), ttlMs)
      return true
    },
    deviceLivesMs: async (hs) => hs.map((h) => marks.ttlMs(keys.device(h))),
  }
}
