import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Telemetry } from '../telemetry/telemetry.ts'

/** A longer path says nothing more to an operator, characters. */
const longestPath = 256

/**
 * One line and one measurement for each request, whatever became of it. The query is left out: on `/callback` it holds a code. The route in
 * metrics is the pattern it was registered under, never what the client wrote.
 */
export function installRequestLog(app: FastifyInstance, telemetry: Telemetry): void {
  const isWritten = ['info', 'debug', 'trace'].includes(telemetry.log.level)
  app.addHook(
    'onResponse',
    function logOutcome(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
      const milliseconds = reply.elapsedTime
      const status = reply.raw.statusCode
      telemetry.metrics.request(request.routeOptions.url ?? 'none', status, milliseconds / 1_000)
      if (isWritten) {
        telemetry.log.info(
          {
            requestId: request.id,
            method: request.method,
            path: pathOf(request.raw.url ?? ''),
            status,
            milliseconds: Math.round(milliseconds * 10) / 10,
            complete: reply.raw.writableFinished,
          },
          'request',
        )
      }
      done()
    },
  )
}

function pathOf(untrustedTarget: string): string {
  const queryAt = untrustedTarget.indexOf('?')
  return (queryAt === -1 ? untrustedTarget : untrustedTarget.slice(0, queryAt)).slice(0, longestPath)
}
