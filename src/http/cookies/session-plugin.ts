import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from '../../errors/gateway-error.ts'
import { createFastifySessionStore, openSessionOf } from '../../session/lifecycle/fastify-store.ts'
import type { OpenSession } from '../../session/lifecycle/sessions.ts'
import { isSessionId, newSessionId } from '../../session/record/keys.ts'
import type { HttpContext } from '../server/http-context.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether @fastify/session may see this request's cookie. Without it the request has an empty session, and the store is not asked. */
    readsSession?: (request: FastifyRequest) => boolean
  }
}

/** Ids are 256 random bits and looked up by hash, so a signature would add nothing but another secret to rotate. */
const passThroughSigner = {
  sign: (id: string) => id,
  unsign: (untrusted: string) => ({ valid: isSessionId(untrusted), renew: false, value: untrusted }),
}

/**
 * Registers @fastify/session for a scope, as a reader and as the one way to begin a session. It never writes a cookie: it would clear
 * without `Secure`, and cannot write `Max-Age`. `/callback`, `/logout` and `DELETE /sessions` do that themselves.
 */
export async function registerSessionPlugin(scope: FastifyInstance, context: HttpContext): Promise<void> {
  const { cookies, options, sessions } = context
  await scope.register(fastifyCookie)
  scope.addHook(
    'onRequest',
    function offerSessionCookie(request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
      const isRead = request.routeOptions.config.readsSession?.(request) === true
      const id = isRead ? cookies.readSession(request.headers.cookie) : undefined
      request.cookies = id === undefined ? {} : { [cookies.sessionName]: id }
      done()
    },
  )
  // Before the plugin's own hook of the same kind, which then finds no session and leaves cookies and store alone.
  scope.addHook(
    'onSend',
    function silencePlugin(
      request: FastifyRequest,
      _reply: FastifyReply,
      _payload: unknown,
      done: () => void,
    ): void {
      Reflect.set(request, 'session', null)
      done()
    },
  )
  await scope.register(fastifySession, {
    cookieName: cookies.sessionName,
    cookie: { path: '/', httpOnly: true, sameSite: 'strict', secure: options.baseUrl.protocol === 'https:' },
    secret: passThroughSigner,
    idGenerator: newSessionId,
    store: createFastifySessionStore(sessions),
    rolling: false,
    saveUninitialized: false,
  })
  scope.addHook(
    'onRequest',
    function noteCaller(request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
      request.caller = openSessionOf(request.session)?.view ?? null
      done()
    },
  )
}

/** For routes that always read the session. */
export const readsSession = { readsSession: () => true }

/**
 * The live session of a request.
 *
 * @throws GatewayError `session_missing` without a cookie of ours, `session_expired` with one that leads nowhere
 */
export function requireSession(request: FastifyRequest, context: HttpContext): OpenSession {
  const session = openSessionOf(request.session)
  if (session !== undefined) return session
  const id = context.cookies.readSession(request.headers.cookie)
  if (id !== undefined) throw new GatewayError('session_expired')
  throw new GatewayError('session_missing', context.cookies.explainMissing(request.headers.cookie))
}
