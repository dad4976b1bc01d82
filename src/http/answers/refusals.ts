import type { IncomingMessage, ServerResponse } from 'node:http'
import { GatewayError } from '../../errors/gateway-error.ts'
import { problemRules, toProblemDocument } from '../../errors/problem.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import { makeLast, whenOver } from '../lifetime/life.ts'
import { newRequestId } from '../server/server.ts'
import { createUnroutedReport } from '../server/unrouted-log.ts'
import { writePlain } from './plain.ts'

/** Refuses what reaches no frontend: one problem document, whoever asks, because there is no app to lead back to. */
export type Refuse = (request: IncomingMessage, response: ServerResponse, thrown: unknown) => void

const firstServerStatus = 500

/** Makes the refusal of a process. */
export function createRefusal(telemetry: Pick<Telemetry, 'log' | 'metrics'>): Refuse {
  const { log } = telemetry
  const report = createUnroutedReport(telemetry)
  return (request, response, thrown) => {
    const error =
      thrown instanceof GatewayError ? thrown : new GatewayError('internal_error', { cause: thrown })
    const { status } = problemRules[error.code]
    const requestId = newRequestId()
    const { method = '', url: target = '' } = request
    const refused = { requestId, method, target, code: error.code }
    whenOver(request, response, () => report({ ...refused, isAnswered: response.writableFinished }))
    const facts = { requestId, code: error.code, method: request.method, ...error.context }
    if (status >= firstServerStatus) log.error({ ...facts, err: error.cause }, error.code)
    else log.debug(facts, error.code)
    const body = JSON.stringify(toProblemDocument(error, requestId))
    // What follows on a connection whose requests are unclear, or meant for another server, may not be what it seems either.
    makeLast(response)
    const type = 'application/problem+json; charset=utf-8'
    writePlain(request, response, { status, type, body }, error.headers)
  }
}
