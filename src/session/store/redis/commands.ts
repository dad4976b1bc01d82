import { GatewayError } from '../../../errors/gateway-error.ts'
import type { Metrics } from '../../../telemetry/measures/metrics.ts'
import type { Deadlines } from './deadlines.ts'
import type { RedisHealth } from './health/health.ts'
import type { StoreOperation } from './operations.ts'

/** Carries out one operation of the store: measured, and with every failure turned into `session_store_unavailable`. */
export type RunOperation = <Result>(
  operation: StoreOperation,
  key: string | undefined,
  work: () => Promise<Result>,
) => Promise<Result>

/**
 * Makes the frame of all operations.
 *
 * @param metrics hears of each operation, its outcome and its duration
 * @param health hears of each failure
 * @param deadlines end the wait for an answer
 * @param batch is told before each operation; see `batch.ts`
 */
export function createRunner(
  metrics: Pick<Metrics, 'store'>,
  health: Pick<RedisHealth, 'failed' | 'succeeded'>,
  deadlines: Deadlines,
  batch: () => void,
): RunOperation {
  return async (operation, key, work) => {
    const startedMs = performance.now()
    const measure = (ok: boolean): void =>
      metrics.store(operation, ok, (performance.now() - startedMs) / 1_000)
    try {
      batch()
      const result = await deadlines.within(work())
      measure(true)
      health.succeeded(operation)
      return result
    } catch (error) {
      measure(false)
      // The library's errors hold the arguments of their command, so they end here.
      const { reason, cause } = health.failed(error, operation, key)
      throw new GatewayError('session_store_unavailable', {
        context: { operation, reason: `Redis ${reason}`, cause },
      })
    }
  }
}
