import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { HeaderFields } from '../answers/security-headers.ts'

/** Adds the headers that every answer carries. Hijacked replies skip hooks and write them themselves. */
export function installSecurityHeaders(app: FastifyInstance, transport: HeaderFields): void {
  app.addHook(
    'onSend',
    function addTransportHeaders(
      _request: FastifyRequest,
      reply: FastifyReply,
      _payload: unknown,
      done: () => void,
    ): void {
      reply.headers(transport)
      done()
    },
  )
}
