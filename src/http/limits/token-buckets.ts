/** The shape of a limit: how much at once, how much for ever, and for how many keys at the same time. */
export interface BucketRules {
  /** Most tokens of one key. */
  readonly burst: number
  /** Tokens that come back to each key. */
  readonly perSecond: number
  /** Keys remembered at once; whoever is forgotten has a full bucket again, so that a flood of keys costs memory and nobody's access. */
  readonly mostKeys: number
}

/** Token buckets, one for each key. */
export interface TokenBuckets {
  /** Takes a token. Returns 0 when there was one, else how long until there is, milliseconds; nothing is taken then. */
  take(key: string): number
  /** How long until there is a token, milliseconds; takes none. */
  wait(key: string): number
  /** Whether any bucket may be empty: false at almost no cost while nothing is wrong. */
  isAnyEmpty(): boolean
  /** Keys remembered. */
  readonly size: number
}

/**
 * Makes token buckets. A bucket is one number, the moment at which it will be full (the generic cell rate algorithm), and a full one is
 * none: absent keys have all their tokens.
 */
export function createTokenBuckets(rules: BucketRules, now: () => number): TokenBuckets {
  const tokenMs = 1_000 / rules.perSecond
  const capacityMs = rules.burst * tokenMs
  /** When each bucket is full, epoch milliseconds; the least recently charged first. */
  const fullAtMs = new Map<string, number>()
  let someEmptyUntilMs = 0

  /** Never further ahead than an empty bucket is: a clock that was set back punishes nobody. */
  const missingMs = (key: string, nowMs: number): number =>
    Math.min(capacityMs, Math.max(0, (fullAtMs.get(key) ?? 0) - nowMs))
  const untilToken = (missing: number): number => Math.max(0, missing + tokenMs - capacityMs)

  const remember = (key: string, whenMs: number): void => {
    fullAtMs.delete(key)
    fullAtMs.set(key, whenMs)
    if (fullAtMs.size <= rules.mostKeys) return
    for (const oldest of fullAtMs.keys()) {
      fullAtMs.delete(oldest)
      return
    }
  }

  return {
    take(key) {
      const nowMs = now()
      const missing = missingMs(key, nowMs)
      const waitMs = untilToken(missing)
      if (waitMs > 0) return waitMs
      remember(key, nowMs + missing + tokenMs)
      someEmptyUntilMs = Math.max(someEmptyUntilMs, nowMs + untilToken(missing + tokenMs))
      return 0
    },
    wait: (key) => untilToken(missingMs(key, now())),
    isAnyEmpty() {
      if (someEmptyUntilMs === 0) return false
      if (now() < someEmptyUntilMs) return true
      someEmptyUntilMs = 0
      return false
    },
    get size() {
      return fullAtMs.size
    },
  }
}
