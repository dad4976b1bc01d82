/** Refusals older than this say nothing together; milliseconds. */
const windowMs = 10_000
/** So many sessions do not die of their own at the same moment. */
const fewestSessions = 3

/**
 * Tells dead refresh tokens from a broken configuration where the provider's error does not: some say `invalid_request` or nothing at all to a
 * dead one, and everybody says so to a request that is wrong (DESIGN-2 section 1).
 */
export interface Doubts {
  /**
   * Notes such a refusal of a session.
   *
   * @returns whose fault it is: the session's, or, when three sessions met it within 10 s with no success between, the operator's, until
   *   a grant succeeds
   */
  judge(h: string): 'session' | 'operator'
  /** A grant has succeeded. */
  clear(): void
}

/** Makes doubts without any. */
export function createDoubts(now: () => number): Doubts {
  let refusedAtMs = new Map<string, number>()
  let isOperators = false
  return {
    judge(h) {
      const nowMs = now()
      refusedAtMs = new Map([...refusedAtMs].filter(([, atMs]) => nowMs - atMs < windowMs)).set(h, nowMs)
      isOperators ||= refusedAtMs.size >= fewestSessions
      return isOperators ? 'operator' : 'session'
    },
    clear() {
      refusedAtMs.clear()
      isOperators = false
    },
  }
}
