import type { FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { ListedSession, ListRange, OpenSession } from '../../session/lifecycle/sessions.ts'
import { isSessionHash } from '../../session/record/keys.ts'
import type { FieldsOf } from '../../telemetry/audit.ts'
import { requireSession } from '../cookies/session-plugin.ts'
import { clearedCookies, endSession } from '../logout/logout.ts'
import type { HttpContext } from '../server/http-context.ts'
import { invalid, maxQueryBytes, readQuery } from '../server/query.ts'

/** Sessions on a page of the list when the browser asks for no number. */
const usualPage = 100
/** … and at most. */
const longestPage = 500

/** One of the user's sessions, as JSON shows it: times are RFC 3339 in UTC. */
interface ShownSession {
  readonly id: string
  readonly browser: string
  readonly createdAt: string
  readonly lastUsedAt: string
  readonly current: boolean
  /** There where sessions are bound to devices. */
  readonly device?: 'bound' | 'unbound'
}

function show(session: ListedSession, { device }: HttpContext): ShownSession {
  return {
    id: session.id,
    browser: session.browserFamily,
    createdAt: new Date(session.createdAtMs).toISOString(),
    lastUsedAt: new Date(session.lastSeenAtMs).toISOString(),
    current: session.current,
    ...(device === undefined ? {} : { device: session.isDeviceBound ? 'bound' : 'unbound' }),
  }
}

/** The session of a request that looks at all of its user's sessions, which is what costs. */
async function listingSession(request: FastifyRequest, context: HttpContext): Promise<OpenSession> {
  const session = requireSession(request, context)
  await context.limits.admitListing(session.record.identity)
  return session
}

/** `GET /sessions`: the user's own sessions, a page of them. */
export function createSessionList(context: HttpContext) {
  return async function listSessions(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const session = await listingSession(request, context)
    const page = await context.sessions.list(session, readRange(request))
    if (page === undefined) throw invalid('The parameter after must be the next of an answer before.')
    const next = page.next === undefined ? {} : { next: page.next }
    return reply.send({ sessions: page.sessions.map((session) => show(session, context)), ...next })
  }
}

/** @throws GatewayError `request_invalid` */
function readRange(request: FastifyRequest): ListRange {
  const rules = { names: ['limit', 'after'], maxBytes: maxQueryBytes }
  const untrusted = readQuery(request.raw.url ?? '', rules)
  const limit = untrusted.get('limit') ?? `${usualPage}`
  if (!/^[1-9]\d{0,8}$/.test(limit)) throw invalid('The parameter limit must be a whole number above 0.')
  return { limit: Math.min(Number(limit), longestPage), untrustedAfter: untrusted.get('after') }
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
    const result = isSessionHash(untrustedId)
      ? await context.sessions.endListed(session, untrustedId)
      : 'unknown'
    if (result === 'unknown') throw new GatewayError('not_found')
    const ended = { reason: 'ended_from_list', count: 1 } as const
    if (result === 'own') {
      report(context, request, session, { ...ended, revoked: await endSession(context, session) })
      reply.header('set-cookie', clearedCookies(context))
    } else report(context, request, session, ended)
    return reply.code(204).send()
  }
}

/**
 * `DELETE /sessions`: ends all of them, this one included. The others' refresh tokens lapse: only their own cookies open them. Each step is
 * done whatever became of those before; the answer says which was not.
 */
export function createAllSessionsEnding(context: HttpContext) {
  const { sessions } = context
  return async function endAllSessions(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const session = requireSession(request, context)
    const others = await sessions.endOthersOf(session).catch(() => ({ ended: 0, failed: 1 }))
    const own = await endSession(context, session).then(
      (revoked) => ({ isGone: true, revoked }),
      () => ({ isGone: false, revoked: undefined }),
    )
    const count = others.ended + (own.isGone ? 1 : 0)
    if (count > 0) report(context, request, session, { reason: 'ended_all', count, revoked: own.revoked })
    if (own.isGone) reply.header('set-cookie', clearedCookies(context))
    const left = whatIsLeft(others.failed === 0, own.isGone)
    if (left !== undefined) throw notEnded(left)
    return reply.send({ ended: count })
  }
}

function whatIsLeft(areOthersGone: boolean, isOwnGone: boolean): string | undefined {
  if (areOthersGone) return isOwnGone ? undefined : leftOwn
  return isOwnGone ? leftOthers : leftAll
}

const leftOthers = 'This session is ended; some of the others may not be. Sign in and try again.'
const leftOwn = 'The other sessions are ended; this one may not be. Try again.'
const leftAll = 'Some sessions may not be ended, this one included. Try again.'

function notEnded(detail: string): GatewayError {
  return new GatewayError('session_store_unavailable', { detail, retryAfterSeconds: 1 })
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
