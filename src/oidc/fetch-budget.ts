/** Lets a few requests through at once, and then one per cool-down. */
export interface FetchBudget {
  /** Takes one request out of the budget, if there is one. */
  take(): boolean
  /** Puts back what was taken in vain. */
  giveBack(): void
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
  return {
    take() {
      const gained = Math.floor((now() - filledAtMs) / coolDownMs)
      if (gained > 0) {
        left = Math.min(burst, left + gained)
        filledAtMs += gained * coolDownMs
      }
      if (left < 1) return false
      left -= 1
      return true
    },
    giveBack() {
      left = Math.min(burst, left + 1)
    },
  }
}
