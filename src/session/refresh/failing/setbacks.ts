import { createRecentMap } from '../../../basics/recent-map.ts'
import type { ErrorCode } from '../../../errors/codes.ts'
import { GatewayError } from '../../../errors/gateway-error.ts'

/** Pauses after the first, second … failure in a row, milliseconds: a provider that does not answer may be back any moment. */
export const outagePausesMs: readonly number[] = [1_000, 2_000, 4_000]
/** What an operator has to change does not change within seconds. */
export const configurationPausesMs: readonly number[] = [2_000, 8_000, 30_000]
/** Nothing a provider asks for makes us wait longer than this, milliseconds. */
const longestPauseMs = 60_000
/** Failures remembered, about 200 bytes each; a forgotten one only costs another attempt. */
const mostRemembered = 10_000

/** Why something failed, as it is told to every request that would only repeat it. */
export interface Problem {
  readonly code: ErrorCode
  readonly detail?: string
  /** Facts for the log, and for whoever makes the answer. */
  readonly context?: Readonly<Record<string, unknown>>
}

interface Setback {
  readonly problem: Problem
  readonly failures: number
  readonly untilMs: number
}

/** Failures that are not to be repeated by every request. */
export interface Setbacks {
  /** The failure that still stands, as an error of its own. */
  standing(key: string): GatewayError | undefined
  isStanding(key: string): boolean
  /** Notes a failure. Returns it as an error. */
  note(key: string, problem: Problem, pausesMs: readonly number[], atLeastMs?: number): GatewayError
  clear(key: string): void
}

/** Failures of one API of a session, apart from those of all of them, whose key is `h`. */
export function setbackKey(h: string, audienceKey: string): string {
  return `${h} ${audienceKey}`
}

/** Makes an empty memory of failures. */
export function createSetbacks(now: () => number): Setbacks {
  const remembered = createRecentMap<Setback>(mostRemembered)
  const toError = ({ problem: { code, detail, context }, untilMs }: Setback): GatewayError =>
    new GatewayError(code, {
      retryAfterSeconds: Math.max(1, Math.ceil((untilMs - now()) / 1_000)),
      ...(detail === undefined ? {} : { detail }),
      ...(context === undefined ? {} : { context }),
    })
  const find = (key: string): Setback | undefined => {
    const setback = remembered.get(key)
    return setback === undefined || now() >= setback.untilMs ? undefined : setback
  }
  return {
    isStanding: (key) => find(key) !== undefined,
    standing(key) {
      const setback = find(key)
      return setback === undefined ? undefined : toError(setback)
    },
    note(key, problem, pausesMs, atLeastMs = 0) {
      const failures = (remembered.get(key)?.failures ?? 0) + 1
      const pauseMs = pausesMs[Math.min(failures, pausesMs.length) - 1] ?? 0
      const untilMs = now() + Math.min(longestPauseMs, Math.max(pauseMs, atLeastMs))
      const setback: Setback = { problem, failures, untilMs }
      remembered.set(key, setback)
      return toError(setback)
    },
    clear: (key) => void remembered.delete(key),
  }
}
