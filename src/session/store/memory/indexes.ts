import type { SessionStore } from '../contract.ts'
import { createExpiringMap } from './expiring.ts'

/** Indexes kept in memory. */
export interface MemoryIndexes {
  readonly operations: Pick<SessionStore, 'addToIndex' | 'removeFromIndex' | 'readIndex'>
  readonly sweep: () => void
}

/**
 * Makes empty indexes.
 *
 * @param maxLifetimeSeconds members whose login is older than this are pruned, when their session is gone
 * @param exists whether a session exists
 */
export function createMemoryIndexes(
  now: () => number,
  maxLifetimeSeconds: number,
  exists: (h: string) => boolean,
): MemoryIndexes {
  const indexes = createExpiringMap<Map<string, number>>(now)
  const prune = (members: Map<string, number>): void => {
    const oldestSeconds = now() / 1_000 - maxLifetimeSeconds
    for (const [h, issuedAtSeconds] of members) {
      if (issuedAtSeconds < oldestSeconds && !exists(h)) members.delete(h)
    }
  }
  return {
    sweep: indexes.sweep,
    operations: {
      async addToIndex(indexKey, { h, issuedAtSeconds }, ttlMs) {
        const members = indexes.get(indexKey) ?? new Map<string, number>()
        prune(members)
        members.set(h, issuedAtSeconds)
        indexes.set(indexKey, members, Math.max(ttlMs, indexes.ttlMs(indexKey)))
      },
      async removeFromIndex(indexKey, hs) {
        const members = indexes.get(indexKey)
        for (const h of hs) members?.delete(h)
        if (members?.size === 0) indexes.delete(indexKey)
      },
      async readIndex(indexKey) {
        const members = [...(indexes.get(indexKey) ?? [])]
        return members.map(([h, issuedAtSeconds]) => ({ h, issuedAtSeconds }))
      },
    },
  }
}
