import { silentLogger } from '../telemetry/logs/logger.ts'
import { noMetrics } from '../telemetry/measures/metrics.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'

/** For the gateway's own parts when doctor uses them: what is wrong is said in findings. */
export function quietTelemetry(): Telemetry {
  return { log: silentLogger(), audit: { event: () => undefined }, metrics: noMetrics }
}
