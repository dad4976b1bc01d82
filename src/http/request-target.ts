import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from '../errors/gateway-error.ts'

const slash = 0x2f

/**
 * Refuses every target that is not in origin form (RFC 9112 section 3.2): the router strips the host of an absolute one, while other code
 * along the way reads the raw target.
 */
export function installTargetCheck(app: FastifyInstance): void {
  app.addHook(
    'onRequest',
    function expectOriginForm(
      request: FastifyRequest,
      _reply: FastifyReply,
      done: (error?: Error) => void,
    ): void {
      if (request.raw.url?.charCodeAt(0) === slash) done()
      else done(new GatewayError('request_target_rejected'))
    },
  )
}
