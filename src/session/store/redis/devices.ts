import type { SessionStore } from '../contract.ts'
import type { StoreKeys } from '../keys.ts'
import type { RunOperation } from './commands.ts'
import type { ScriptedClient } from './scripts.ts'

type Devices = Pick<SessionStore, 'markDevice'>

/** The renewals of devices in Redis. */
export function redisDevices(client: ScriptedClient, run: RunOperation, keys: StoreKeys): Devices {
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
  }
}
