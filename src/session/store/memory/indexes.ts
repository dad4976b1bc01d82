import type { IndexMember, IndexRange, SessionStore } from '../contract.ts'
import type { ExpiringMap } from './expiring.ts'

/** Old members looked at when one is added: enough to keep up, little enough not to be felt. */
const pruneLimit = 32

/** Indexes by their keys: members with their scores. */
export type Indexes = ExpiringMap<Map<string, number>>

/** What a frontend's indexes need. */
export interface MemoryIndexesOptions {
  readonly now: () => number
  /** Members whose login is older than this are pruned, when their session is gone. */
  readonly maxLifetimeSeconds: number
  /** Whether a session exists. */
  readonly exists: (h: string) => boolean
}

/** Indexes kept in memory. */
export function memoryIndexes(
  indexes: Indexes,
  { now, maxLifetimeSeconds, exists }: MemoryIndexesOptions,
): Pick<SessionStore, 'addToIndex' | 'removeFromIndex' | 'removeFromIndexes' | 'readIndex'> {
  const prune = (members: Map<string, number>): void => {
    const oldestSeconds = now() / 1_000 - maxLifetimeSeconds
    // Those that came first are the oldest.
    let looked = 0
    for (const [h, issuedAtSeconds] of members) {
      looked += 1
      if (looked > pruneLimit) return
      if (issuedAtSeconds < oldestSeconds && !exists(h)) members.delete(h)
    }
  }
  const remove = (indexKey: string, hs: readonly string[]): void => {
    const members = indexes.get(indexKey)
    for (const h of hs) members?.delete(h)
    if (members?.size === 0) indexes.delete(indexKey)
  }
  return {
    async addToIndex(indexKey, { h, issuedAtSeconds }, ttlMs) {
      const members = indexes.get(indexKey) ?? new Map<string, number>()
      prune(members)
      members.set(h, issuedAtSeconds)
      indexes.set(indexKey, members, Math.max(ttlMs, indexes.ttlMs(indexKey)))
    },
    removeFromIndex: async (indexKey, hs) => remove(indexKey, hs),
    async removeFromIndexes(members) {
      for (const [indexKey, h] of members) remove(indexKey, [h])
    },
    readIndex: async (indexKey, range) => pieceOf(indexes.get(indexKey) ?? new Map(), range),
  }
}

/** As Redis orders a sorted set: by score, then by name. */
function pieceOf(
  members: ReadonlyMap<string, number>,
  { newestFirst = false, upToSeconds = Number.POSITIVE_INFINITY, offset, count }: IndexRange,
): readonly IndexMember[] {
  const sorted = [...members]
    .filter(([, issuedAtSeconds]) => issuedAtSeconds <= upToSeconds)
    .map(([h, issuedAtSeconds]) => ({ h, issuedAtSeconds }))
    .sort((one, other) => one.issuedAtSeconds - other.issuedAtSeconds || (one.h < other.h ? -1 : 1))
  const ordered = newestFirst ? sorted.reverse() : sorted
  return ordered.slice(offset, offset + count)
}
