/** Lets a few requests through at once, and then one per cool-down. */
export interface FetchBudget {
  /** Takes one request out of the budget, if there is one. */
  take(): boolean
  /**
   * Puts back what was taken in vain.
   *
   * @param afterMs from when on it may be taken again, milliseconds; at once unless said otherwise
   */
  giveBack(afterMs?: number): void
}

/**
 * A token bucket.
 *
 * @param burst requests that may follow each other at once
 * @param coolDownMs after which one more is allowed
 */
export function createFetchBudget(burst: number, coolDownMs: number, now: () => number): FetchBudget {
  let left = burst
  let filledAtMs = now()
  let restsUntilMs = Number.NEGATIVE_INFINITY
  return {
    take() {
      if (now() < restsUntilMs) return false
      const gained = Math.floor((now() - filledAtMs) / coolDownMs)
      if (gained > 0) {
        left = Math.min(burst, left + gained)
        filledAtMs += gained * coolDownMs
      }
      if (left < 1) return false
      left -= 1
      return true
    },
    giveBack(afterMs = 0) {
      left = Math.min(burst, left + 1)
      restsUntilMs = now() + afterMs
    },
  }
}

/** A budget in which each of many claimants has one request per cool-down. */
export interface SharedBudget {
  /** The share of this claimant. */
  of(claimant: string): FetchBudget
}

/**
 * One request per claimant and cool-down, so that what is taken in one name is not missing to another; and a bound on all of them
 * together, which is also the number of names that are remembered.
 */
export function createSharedBudget(mostAtOnce: number, coolDownMs: number, now: () => number): SharedBudget {
  const untilMs = new Map<string, number>()
  return {
    of: (claimant) => ({
      take() {
        for (const [name, atMs] of untilMs) if (now() >= atMs) untilMs.delete(name)
        if (untilMs.has(claimant) || untilMs.size >= mostAtOnce) return false
        untilMs.set(claimant, now() + coolDownMs)
        return true
      },
      giveBack: (afterMs = 0) => void untilMs.set(claimant, now() + afterMs),
    }),
  }
}
