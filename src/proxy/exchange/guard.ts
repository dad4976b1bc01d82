// biome-ignore lint/style/noRestrictedImports: this is the door
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { Access } from '../../access/decide.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import { type AdmittedRequest, ProxiedRequest } from './proxied-request.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the guard of a proxied route, on which it is `null` before. */
    admitted: AdmittedRequest | null
  }
}

type Guard = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void

/**
 * The one hook of a proxied route: asks for the decision before a byte goes upstream. It runs in the route's own scope, so that it
 * and the router can never disagree.
 */
export function createGuard(access: Access): Guard {
  return (asked, reply, done) => {
    const refuse = (error: unknown): void => {
      done(error instanceof Error ? error : new GatewayError('internal_error'))
    }
    try {
      const request = new ProxiedRequest(asked, reply)
      const { life } = request
      keepFromParsing(request)
      const admission = access.admit(request, life.upgrade !== undefined)
      if (admission instanceof Promise) {
        life.hasWaited = true
        admission.then(
          (waitedFor) => {
            asked.admitted = { request, admission: waitedFor }
            // Whoever left meanwhile has no request any more: nothing of it goes on.
            if (!life.isOver) done()
          },
          (error: unknown) => {
            if (!life.isOver) refuse(error)
          },
        )
        return
      }
      asked.admitted = { request, admission }
      done()
    } catch (error) {
      refuse(error)
    }
  }
}

/** What Fastify takes for a body that some parser reads; ours passes it on unread. */
const anyType = 'application/octet-stream'

/**
 * Media types are nobody's business here: Fastify would answer 415 to those that it cannot read, which browsers do send, and 400 to a QUERY
 * without one. What goes upstream comes from the raw headers.
 */
function keepFromParsing({ headers, method }: ProxiedRequest): void {
  if (headers['content-type'] !== undefined || method === 'QUERY') headers['content-type'] = anyType
}
