import { createAudit } from './audit.ts'
import type { Telemetry } from './telemetry.ts'

/**
 * What one frontend reports to: the process's telemetry, with the frontend's name in each log line, audit event, metric and span. Closing it
 * is the process's business.
 */
export function telemetryOfFrontend(process: Telemetry, frontend: string): Telemetry {
  const log = process.log.child({ frontend })
  const { exposition, tracing } = process
  return {
    log,
    audit: createAudit(log),
    metrics: exposition === undefined ? process.metrics : exposition.ofFrontend(frontend),
    ...(exposition === undefined ? {} : { exposition }),
    ...(tracing === undefined
      ? {}
      : {
          tracing: {
            ...tracing,
            begin: (request) => tracing.begin({ ...request, frontend }),
            // The process's, which other frontends still need.
            close: async () => undefined,
          },
        }),
  }
}
