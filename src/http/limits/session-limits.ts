import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { openSessionOf } from '../../session/lifecycle/fastify-store.ts'
import { hashSessionId } from '../../session/record/keys.ts'
import type { HttpContext } from '../server/http-context.ts'

/** What of the context limits of session endpoints need. */
type SessionLimitsContext = Pick<HttpContext, 'cookies' | 'limits'>

type Hook = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void

/**
 * Limits a scope whose endpoints tell about sessions. To be called before `registerSessionPlugin`, whose hook reads the store.
 */
export function installSessionLimits(scope: FastifyInstance, context: SessionLimitsContext): void {
  scope.addHook('onRequest', createAdmission(context, context.limits.admitSession))
  scope.addHook('preHandler', function countAnonymous(request, _reply, done) {
    done(countMiss(context, request))
  })
}

/**
 * Limits a scope whose endpoints end sessions, before `registerSessionPlugin`: invented cookies cost the store as much here as elsewhere,
 * but whoever has a session can always end it, and whoever has none is told so.
 */
export function installLogoutLimits(scope: FastifyInstance, context: SessionLimitsContext): void {
  scope.addHook('onRequest', createAdmission(context))
  scope.addHook('preHandler', function countAnonymous(request, _reply, done) {
    if (readsSession(request)) countMiss(context, request)
    done()
  })
}

/** Before the store is asked for the session of a cookie. */
function createAdmission({ cookies, limits }: SessionLimitsContext, admit?: (h: string) => void): Hook {
  return function admitSessionLookup(request, _reply, done) {
    const id = readsSession(request) ? cookies.readSession(request.headers.cookie) : undefined
    if (id !== undefined) {
      limits.admitLookup(request, id)
      admit?.(hashSessionId(id))
    }
    done()
  }
}

function countMiss({ limits }: SessionLimitsContext, request: FastifyRequest): Error | undefined {
  const session = openSessionOf(request.session)
  if (session === undefined) return limits.countMiss(request)
  limits.noteLive(session.view.h)
  return undefined
}

function readsSession(request: FastifyRequest): boolean {
  return request.routeOptions.config.readsSession?.(request) === true
}
