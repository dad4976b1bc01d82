import type { SessionStore } from '../contract.ts'
import type { StoreKeys } from '../keys.ts'
import type { RunOperation } from './commands.ts'
import type { AskEach } from './each.ts'
import type { ScriptedClient } from './scripts.ts'

type Devices = Pick<SessionStore, 'markDevice' | 'deviceLivesMs'>

/** The renewals of devices in Redis. */
export function redisDevices(
  client: ScriptedClient,
  run: RunOperation,
  keys: StoreKeys,
  askEach: AskEach,
): Devices {
  // Redis says -2 for no key.
  const lifeOf = async (h: string): Promise<number> => Math.max(0, await client.pttl(keys.device(h)))
  return {
    markDevice(h, challenge, ttlMs) {
      const key = keys.device(h)
      const ttl = Math.ceil(ttlMs)
      return run(
        'device_mark',
        key,
        async () => (await client.coatcheckMarkDevice(key, challenge, ttl)) === 1,
      )
    },
    deviceLivesMs: (hs) => askEach('device_lives', hs, lifeOf),
  }
}
