import { newWriteId } from '../../record/keys.ts'
import type { SessionStore } from '../contract.ts'
import type { StoreKeys } from '../keys.ts'
import type { RunOperation } from './commands.ts'
import { type ForeignValue, unlessWrongType } from './foreign.ts'
import type { ScriptedClient } from './scripts.ts'

type Leases = Pick<SessionStore, 'acquireLease' | 'renewLease' | 'releaseLease'>

/** Refresh leases in Redis. */
export function redisLeases(client: ScriptedClient, run: RunOperation, keys: StoreKeys): Leases {
  return {
    acquireLease(h, owner, ttlMs) {
      const key = keys.lease(h)
      return run('lease_acquire', key, async () => (await client.coatcheckAcquire(key, owner, ttlMs)) === 1)
    },
    renewLease(h, owner, ttlMs) {
      const key = keys.lease(h)
      const renewed = (): Promise<unknown> => client.coatcheckRenew(key, owner, ttlMs)
      return run('lease_renew', key, async () => (await unlessWrongType(renewed(), 0)) === 1)
    },
    releaseLease(h, owner) {
      const key = keys.lease(h)
      const released = (): Promise<unknown> => client.coatcheckRelease(key, owner)
      return run('lease_release', key, async () => void (await unlessWrongType(released(), 0)))
    },
  }
}

type Marks = Pick<
  SessionStore,
  'redeemState' | 'writeTombstone' | 'readTombstones' | 'isTokenUsed' | 'recordTokenUse' | 'count'
>

/** Redeemed states, tombstones, executed logout tokens and counters in Redis; times are those of Redis' own clock. */
export function redisMarks(
  client: ScriptedClient,
  run: RunOperation,
  keys: StoreKeys,
  foreign: ForeignValue,
): Marks {
  const readTombstone = async (key: string): Promise<number | undefined> => {
    const writtenAtMs = Number((await unlessWrongType(client.get(key), null)) ?? Number.NaN)
    // What is no time was not written by us, and must not keep anybody from signing in.
    return Number.isFinite(writtenAtMs) ? writtenAtMs : undefined
  }
  return {
    redeemState(stateHash, ttlMs) {
      const key = keys.usedState(stateHash)
      const nonce = newWriteId()
      return run('redeem_state', key, async () => {
        const reply = await client.coatcheckRedeem(key, nonce, ttlMs)
        const [redeemed, timeMs]: readonly unknown[] = Array.isArray(reply) ? reply : []
        return { redeemed: redeemed === 1, timeMs: Number(timeMs) }
      })
    },
    writeTombstone: (key, ttlMs) =>
      run('tombstone_write', key, async () => void (await client.coatcheckEntomb(key, ttlMs))),
    readTombstones: (tombstoneKeys) =>
      run('tombstone_read', undefined, () => Promise.all(tombstoneKeys.map(readTombstone))),
    isTokenUsed(jtiHash) {
      const key = keys.usedTokenId(jtiHash)
      return run('token_read', key, async () => (await client.exists(key)) === 1)
    },
    recordTokenUse(jtiHash, ttlMs) {
      const key = keys.usedTokenId(jtiHash)
      return run('token_write', key, async () => void (await client.set(key, '1', 'PX', ttlMs)))
    },
    count(counterKey, windowMs) {
      const key = keys.count(counterKey)
      return run('count', key, async () => {
        const count = Number(await client.coatcheckCount(key, windowMs))
        if (count < 0) foreign('count')
        return Math.abs(count)
      })
    },
  }
}
