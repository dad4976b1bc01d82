import type { FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { ListedSession, OpenSession } from '../../session/lifecycle/sessions.ts'
import { isSessionHash } from '../../session/record/keys.ts'
import type { FieldsOf } from '../../telemetry/audit.ts'
import { requireSession } from '../cookies/session-plugin.ts'
import { endSession } from '../logout/logout.ts'
import type { HttpContext } from '../server/http-context.ts'

/** One of the user's sessions, as JSON shows it: times are RFC 3339 in UTC. */
interface ShownSession {
  readonly id: string
  readonly browser: string
  readonly createdAt: string
  readonly lastUsedAt: string
  readonly current: boolean
}

function show(session: ListedSession): ShownSession {
  return {
    id: session.id,
    browser: session.browserFamily,
    createdAt: new Date(session.createdAtMs).toISOString(),
    lastUsedAt: new Date(session.lastSeenAtMs).toISOString(),
    current: session.current,
  }
}

/** The session of a request that looks at all of its user's sessions, which is what costs. */
async function listingSession(request: FastifyRequest, context: HttpContext): Promise<OpenSession> {
  const session = requireSession(request, context)
  await context.limits.admitListing(session.record.identity)
  return session
}

/** `GET /sessions`: the user's own sessions. */
export function createSessionList(context: HttpContext) {
  return async function listSessions(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const session = await listingSession(request, context)
    const sessions = await context.sessions.list(session)
    return reply.send({ sessions: sessions.map(show) })
  }
}

/** `DELETE /sessions/:id`: ends one of them; this one's end takes the cookie along. */
export function createSessionEnding(context: HttpContext) {
  return async function endListedSession(
    request: FastifyRequest<{ Params: { readonly id: string } }>,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const session = await listingSession(request, context)
    const untrustedId = request.params.id
    // Listed ids have the form of any of our hashes; anything else is not worth the look.
    const own = isSessionHash(untrustedId) ? await context.sessions.list(session) : []
    const listed = own.find(({ id }) => id === untrustedId)
    if (listed === undefined) throw new GatewayError('not_found')
    if (listed.current) {
      const revoked = await endSession(context, session)
      report(context, request, session, { reason: 'ended_from_list', count: 1, revoked })
      reply.header('set-cookie', context.cookies.clearSession())
    } else if (!(await context.sessions.endListed(session, listed.id))) {
      throw new GatewayError('not_found')
    } else report(context, request, session, { reason: 'ended_from_list', count: 1 })
    return reply.code(204).send()
  }
}

/** `DELETE /sessions`: ends all of them, this one included. The others' refresh tokens lapse: only their own cookies open them. */
export function createAllSessionsEnding(context: HttpContext) {
  return async function endAllSessions(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const session = requireSession(request, context)
    const ended = await context.sessions.endAllOf(session)
    const { refreshToken } = session.record.tokens
    const revoked = refreshToken === undefined ? undefined : await context.provider.revoke(refreshToken)
    report(context, request, session, { reason: 'ended_all', count: ended, revoked })
    return reply.header('set-cookie', context.cookies.clearSession()).send({ ended })
  }
}

/** @param session the one that the request came with */
function report(
  { telemetry }: HttpContext,
  request: FastifyRequest,
  { view: { sessionRef, userRef } }: OpenSession,
  facts: Pick<FieldsOf<'session.ended'>, 'reason' | 'count' | 'revoked'>,
): void {
  telemetry.audit.event('session.ended', { requestId: request.id, sessionRef, userRef, ...facts })
}
