import { createAudit } from './audit.ts'
import { createLogger, type LoggerOptions } from './logs/logger.ts'
import { noMetrics } from './measures/metrics.ts'
import { createPrometheusMetrics } from './measures/prometheus.ts'
import type { Telemetry } from './telemetry.ts'
import { startTracing, type TracingOptions } from './traces/otlp.ts'

/** What the settings say about telemetry; the configuration fits. */
export interface TelemetryOptions extends LoggerOptions, TracingOptions {
  /** Metrics are kept only where somebody can read them. */
  readonly adminPort: number | undefined
  /** `FRONTENDS_FILE`: set where several frontends share the process. */
  readonly frontendsFile?: string | undefined
}

/** The telemetry of a process. */
export async function createTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const log = createLogger(options)
  const measured =
    options.adminPort === undefined
      ? { metrics: noMetrics }
      : createPrometheusMetrics(options.frontendsFile !== undefined)
  const tracing = await startTracing(options, log)
  return { log, audit: createAudit(log), ...measured, ...(tracing === undefined ? {} : { tracing }) }
}
