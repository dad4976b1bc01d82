/** A value with the moment from which it no longer exists. */
interface Entry<Value> {
  readonly value: Value
  readonly expiresAtMs: number
}

/** A map whose entries end by themselves. */
export interface ExpiringMap<Value> {
  /** Live entries and those not swept yet. */
  readonly size: number
  get(key: string): Value | undefined
  /** Whole milliseconds left, 0 when there is no such entry. */
  ttlMs(key: string): number
  set(key: string, value: Value, ttlMs: number): void
  delete(key: string): boolean
  keys(): readonly string[]
  /** Removes what has ended. */
  sweep(): void
}

/**
 * Makes an expiring map.
 *
 * @param now the clock, epoch milliseconds
 * @param expired told each key that ended by its age, once
 */
export function createExpiringMap<Value>(
  now: () => number,
  expired: (key: string) => void = () => undefined,
): ExpiringMap<Value> {
  const entries = new Map<string, Entry<Value>>()
  const live = (key: string): Entry<Value> | undefined => {
    const entry = entries.get(key)
    if (entry === undefined || now() < entry.expiresAtMs) return entry
    entries.delete(key)
    expired(key)
    return undefined
  }
  return {
    get size() {
      return entries.size
    },
    get: (key) => live(key)?.value,
    ttlMs: (key) => Math.max(0, (live(key)?.expiresAtMs ?? 0) - now()),
    set(key, value, ttlMs) {
      entries.set(key, { value, expiresAtMs: now() + ttlMs })
    },
    delete: (key) => live(key) !== undefined && entries.delete(key),
    keys: () => [...entries.keys()],
    sweep() {
      for (const key of [...entries.keys()]) live(key)
    },
  }
}
