/** Attempts older than this say nothing about the provider any more; milliseconds. */
const windowMs = 10_000
/** Fewer attempts are no evidence. */
const leastAttempts = 20
/** Share of failed attempts that opens it. */
const failedShare = 0.8
/** One session's own trouble must not speak for all. */
const leastSessions = 5
/** While open, one attempt this often finds out whether the provider is back; milliseconds. */
const probeIntervalMs = 1_000
/** Attempts remembered; more would not change the verdict. */
const mostAttempts = 1_000

interface Attempt {
  readonly atMs: number
  readonly h: string
  readonly failed: boolean
}

/** Stops refreshes while the provider is down. It stands before nothing else: logins and logouts are always tried. */
export interface Breaker {
  /** Whether an attempt may be made now; while open this lets one through each second. */
  allows(): boolean
  /** @param failed by network, timeout or 5xx; whatever else the provider answered shows that it is there */
  record(h: string, failed: boolean): void
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
    record(h, failed) {
      if (!failed && nextProbeAtMs !== undefined) {
        nextProbeAtMs = undefined
        attempts = []
      }
      remember({ atMs: now(), h, failed })
      if (nextProbeAtMs === undefined && isDown(attempts)) nextProbeAtMs = now() + probeIntervalMs
    },
  }
}

function isDown(attempts: readonly Attempt[]): boolean {
  if (attempts.length < leastAttempts) return false
  const failed = attempts.filter((attempt) => attempt.failed)
  if (failed.length < attempts.length * failedShare) return false
  return new Set(failed.map(({ h }) => h)).size >= leastSessions
}
