import { LRUCache } from 'lru-cache'

/** A map of those entries that were used last. */
export type RecentMap<Value extends NonNullable<unknown>> = LRUCache<string, Value>

/**
 * Makes a map of at most `most` entries, which forgets the one that was used longest ago. It takes room as it fills: the library's own bound by
 * number sets it all aside at once, which a process with hundreds of frontends pays for hundreds of times.
 */
export function createRecentMap<Value extends NonNullable<unknown>>(most: number): RecentMap<Value> {
  return new LRUCache<string, Value>({ maxSize: most, sizeCalculation: () => 1 })
}
