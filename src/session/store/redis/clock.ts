import type { Logger } from '../../../telemetry/telemetry.ts'
import type { RedisClient } from './connection/connection.ts'
import type { Deadlines } from './deadlines.ts'

/** How far the clock of Redis is ahead of this process's. */
export interface RedisClock {
  /** Milliseconds, negative when it is behind; 0 while nobody knows, and while they agree. */
  aheadMs(): number
  stop(): void
}

/** Clocks that somebody looks after agree better than this, and what is measured over a busy connection is no better, milliseconds. */
const agreedMs = 2_000
/** A clock that is wrong may be set right while the connection lasts, milliseconds. */
const measuredEveryMs = 600_000

/** What measuring needs. */
export interface RedisClockDependencies {
  readonly deadlines: Deadlines
  readonly log: Pick<Logger, 'warn'>
  /** The clock of this process, epoch milliseconds. */
  readonly now: () => number
}

/** Measures whenever a connection is made, and now and then while it lasts. Without an answer, what was known stays. */
export function watchClock(client: RedisClient, { deadlines, log, now }: RedisClockDependencies): RedisClock {
  let aheadMs = 0
  const measure = async (): Promise<void> => {
    const askedAtMs = now()
    const [seconds, microseconds] = await deadlines.within(client.time())
    const measuredMs = Number(seconds) * 1_000 + Number(microseconds) / 1_000 - (askedAtMs + now()) / 2
    if (!Number.isFinite(measuredMs)) return
    const before = aheadMs
    aheadMs = Math.abs(measuredMs) < agreedMs ? 0 : Math.round(measuredMs)
    if (aheadMs !== 0 && Math.abs(aheadMs - before) >= agreedMs)
      log.warn({ aheadMs }, 'the clocks of Redis and of this process differ: one of them is not set by NTP')
  }
  const tryToMeasure = (): void => void measure().catch(() => undefined)
  client.on('ready', tryToMeasure)
  const timer = setInterval(tryToMeasure, measuredEveryMs).unref()
  return { aheadMs: () => aheadMs, stop: () => clearInterval(timer) }
}
