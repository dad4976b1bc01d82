import type { IncomingMessage, ServerResponse } from 'node:http'
import { healthEndpoints } from '../../config/endpoints.ts'
import { problemRules } from '../../errors/problem.ts'
import { createRequestLine, type RequestOutcome } from '../../telemetry/logs/request-line.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import { reportedStatus, whenOver } from '../lifetime/life.ts'
import type { ReportUnrouted } from '../lifetime/unrouted.ts'
import { isLineWritten, otherRoute, pathOf } from './request-log.ts'
import { newRequestId } from './server.ts'

type Reporting = Pick<Telemetry, 'log' | 'metrics'>

/** Nobody is known where no frontend has looked. */
const ofNobody = { sessionRef: undefined, userRef: undefined, traceId: undefined }

function createLine({ log }: Reporting): (outcome: RequestOutcome) => void {
  return isLineWritten(log) ? createRequestLine(log) : () => undefined
}

/** Reports what was refused before anybody could route it, with the line and the measurement of every other request. */
export function createUnroutedReport(telemetry: Reporting): ReportUnrouted {
  const { metrics } = telemetry
  const writeLine = createLine(telemetry)
  return ({ requestId, method, target, code, isAnswered: complete }) => {
    const { status } = problemRules[code]
    metrics.problem(code)
    metrics.request(otherRoute, status, 0)
    writeLine({ requestId, method, path: pathOf(target), status, milliseconds: 0, complete, ...ofNobody })
  }
}

/** Reports what becomes of a request that no frontend answers. */
export type WatchUnrouted = (request: IncomingMessage, response: ServerResponse, startedAtMs: number) => void

/** Makes the same line and measurement for probes, and for requests whose browsers leave before anybody could answer. */
export function createUnroutedWatch(telemetry: Reporting): WatchUnrouted {
  const writeLine = createLine(telemetry)
  return (request, response, startedAtMs) => {
    whenOver(request, response, () => {
      const { method = '', url = '' } = request
      const [status, complete] = [reportedStatus(response), response.writableFinished]
      const [path, passedMs] = [pathOf(url), performance.now() - startedAtMs]
      const label = healthEndpoints.some((endpoint) => endpoint === path) ? path : otherRoute
      telemetry.metrics.request(label, status, passedMs / 1_000)
      const milliseconds = Math.round(passedMs * 10) / 10
      writeLine({ requestId: newRequestId(), method, path, status, milliseconds, complete, ...ofNobody })
    })
  }
}
