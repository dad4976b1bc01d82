import type { FastifyBaseLogger } from 'fastify'
import type { Audit } from './audit.ts'
import type { Metrics } from './measures/metrics.ts'
import type { Exposition } from './measures/prometheus.ts'
import type { Tracing } from './traces/tracing.ts'

/** The logger that everything is handed; pino underneath. */
export type Logger = FastifyBaseLogger

/** What every part of the gateway may report to, passed as one object. */
export interface Telemetry {
  readonly log: Logger
  readonly audit: Audit
  readonly metrics: Metrics
  /** The metrics, to be read; absent while nothing is measured. */
  readonly exposition?: Exposition
  /** Absent while nothing is traced. */
  readonly tracing?: Tracing
}
