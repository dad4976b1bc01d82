import type { FastifyReply, FastifyRequest } from 'fastify'
import { openSessionOf } from '../../session/lifecycle/fastify-store.ts'
import type { OpenSession } from '../../session/lifecycle/sessions.ts'
import { type SessionLimits, sessionLimits } from '../../session/record/session.ts'
import { describeDevice, offerDevice } from '../device/device-offer.ts'
import { withWayToLogin } from '../login/way-to-login.ts'
import type { HttpContext } from '../server/http-context.ts'
import { describeSession, type SessionAnswer } from './session-answer.ts'

/** What both endpoints answer: the session, and how it stands to its device where sessions are bound to devices. */
function answerFor(
  context: HttpContext,
  request: FastifyRequest,
  session: OpenSession | undefined,
  limits: SessionLimits,
): SessionAnswer {
  const { options, paths, device, now } = context
  const answer = describeSession(session, options.userClaims, paths, limits, now())
  if (!answer.authenticated) return { ...answer, ...explained(context, request) }
  if (session === undefined || device === undefined) return answer
  return { ...answer, ...describeDevice(context, device, session, request.headers) }
}

/** Without an error there is no line about one: what keeps a user from ever being signed in is said here. */
function explained(
  { cookies, telemetry }: HttpContext,
  request: FastifyRequest,
): { readonly detail?: string } {
  const { detail, context } = cookies.explainMissing(request.headers.cookie)
  if (detail === undefined) return {}
  telemetry.log.warn({ requestId: request.id, code: 'session_missing', ...context }, 'session_missing')
  return { detail }
}

/** `GET /session`: who is signed in and for how long. Never counts as activity, so that polling keeps nothing alive. */
export function createSessionAnswer(context: HttpContext) {
  const limits = sessionLimits(context.options)
  const { device } = context
  return async function answerSession(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const session = openSessionOf(request.session)
    if (device !== undefined && session !== undefined) {
      const offer = await offerDevice(context, device, session, request.headers)
      if (offer !== undefined) reply.header('secure-session-registration', offer)
    }
    return reply.send(answerFor(context, request, session, limits))
  }
}

/** `POST /session/refresh`: counts as activity, refreshes the tokens if that is due, and answers like `GET /session`. */
export function createSessionRefresh(context: HttpContext) {
  const limits = sessionLimits(context.options)
  return async function refreshSession(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const session = openSessionOf(request.session)
    if (session !== undefined) {
      await context.limits.admitRefresh(session.view.h)
      await context.sessions.touchNow(session.view)
      await context.accessTokens
        .refreshIfDue(session.id, session.view, context.options.audience)
        .catch((error: unknown) => {
          throw withWayToLogin(context.stepUps, session.view, error)
        })
    }
    const refreshed = session === undefined ? undefined : await context.sessions.open(session.id)
    return reply.send(answerFor(context, request, refreshed, limits))
  }
}
