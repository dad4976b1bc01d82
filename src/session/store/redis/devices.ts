import type { SessionStore } from '../contract.ts'
import type { StoreKeys } from '../keys.ts'
import { piecesOf } from '../pieces.ts'
import type { RunOperation } from './commands.ts'
import type { ScriptedClient } from './scripts.ts'
import { asFarAsAnswered } from './sessions.ts'

type Devices = Pick<SessionStore, 'markDevice' | 'areDevicesAlive'>

/** The renewals of devices in Redis. */
export function redisDevices(client: ScriptedClient, run: RunOperation, keys: StoreKeys): Devices {
  const isAlive = async (h: string): Promise<boolean> => (await client.exists(keys.device(h))) === 1
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
    async areDevicesAlive(hs) {
      const found: (boolean | undefined)[] = []
      for (const piece of piecesOf(hs)) {
        found.push(...(await run('device_exist', undefined, () => asFarAsAnswered(piece.map(isAlive)))))
      }
      return found
    },
  }
}
