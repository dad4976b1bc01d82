/** Attempts older than this say nothing about the provider any more; milliseconds. */
const windowMs = 10_000
/** Fewer attempts are no evidence. */
const leastAttempts = 20
/** Share of failed attempts that opens it. */
const failedShare = 0.8
/** The trouble of one session, or of one login, must not speak for all. */
const leastCallers = 5
/** While open, one attempt this often finds out whether the provider is back; milliseconds. */
const probeIntervalMs = 1_000
/** Attempts remembered; more would not change the verdict. */
const mostAttempts = 1_000

interface Attempt {
  readonly atMs: number
  readonly caller: string
  readonly failed: boolean
}

/** Stops calls of one kind (refreshes, pushed logins) while the provider is down. It stands before nothing else: a login's other steps and logouts are always tried. */
export interface Breaker {
  /** Whether an attempt may be made now; while open this lets one through each second. */
  allows(): boolean
  /**
   * @param caller the session, or the login
   * @param failed by network, timeout or 5xx; whatever else the provider answered shows that it is there
   */
  record(caller: string, failed: boolean): void
}

/** Makes a closed breaker. */
export function createBreaker(now: () => number): Breaker {
  let attempts: readonly Attempt[] = []
  let nextProbeAtMs: number | undefined
  const remember = (attempt: Attempt): void => {
    const recent = attempts.filter(({ atMs }) => attempt.atMs - atMs < windowMs)
    attempts = [...recent.slice(1 - mostAttempts), attempt]
  }
  return {
    allows() {
      if (nextProbeAtMs === undefined) return true
      if (now() < nextProbeAtMs) return false
      nextProbeAtMs = now() + probeIntervalMs
      return true
    },
    record(caller, failed) {
      if (!failed && nextProbeAtMs !== undefined) {
        nextProbeAtMs = undefined
        attempts = []
      }
      remember({ atMs: now(), caller, failed })
      if (nextProbeAtMs === undefined && isDown(attempts)) nextProbeAtMs = now() + probeIntervalMs
    },
  }
}

function isDown(attempts: readonly Attempt[]): boolean {
  if (attempts.length < leastAttempts) return false
  const failed = attempts.filter((attempt) => attempt.failed)
  if (failed.length < attempts.length * failedShare) return false
  return new Set(failed.map(({ caller }) => caller)).size >= leastCallers
}
