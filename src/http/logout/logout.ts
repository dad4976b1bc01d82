import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { OpenSession } from '../../session/lifecycle/sessions.ts'
import { startTransaction } from '../cookies/transaction-cookies.ts'
import type { HttpContext } from '../server/http-context.ts'
import { queryOf } from '../server/query.ts'

/** 256 bits: names the logout when the provider sends the browser back. */
const stateBytes = 32

/** The `returnTo` of a logout; an invalid one is ignored, because nothing must stand between a user and the end of a session. */
export function logoutReturnTo(context: HttpContext, request: FastifyRequest): string {
  const asked = new URLSearchParams(queryOf(request.raw.url ?? '')).getAll('returnTo')
  const [only = context.startPath] = asked.length === 1 ? asked : []
  return context.resolveReturnTo(only) ?? context.startPath
}

/**
 * Logs out: ends the session, then revokes its refresh token, then leaves for the provider's end-session page. The order is what makes it
 * safe: with the store down it fails before anything is claimed, and a dead provider comes too late to keep the session alive.
 *
 * @throws GatewayError `session_store_unavailable`; the cookie is kept then
 */
export async function logOut(
  context: HttpContext,
  request: FastifyRequest,
  reply: FastifyReply,
  session: OpenSession | undefined,
): Promise<FastifyReply> {
  const returnTo = logoutReturnTo(context, request)
  const revoked = session === undefined ? undefined : await endSession(context, session)
  const leaving = leave(context, request, session, returnTo)
  report(context, request, session, revoked)
  reply
    .header('set-cookie', [...clearedCookies(context), ...leaving.setCookies])
    // Not "cookies": that clears those of sibling hosts, and not "storage": the app's drafts are its own.
    .header('clear-site-data', '"cache"')
  const wantsJson = request.headers.accept?.toLowerCase().includes('application/json') === true
  return wantsJson ? reply.send({ redirectTo: leaving.url }) : reply.redirect(leaving.url, 303)
}

/** `Set-Cookie` that takes away what a session has left in the browser. */
export function clearedCookies({ cookies, device }: HttpContext): readonly string[] {
  return device === undefined ? [cookies.clearSession()] : [cookies.clearSession(), cookies.clearDevice()]
}

/**
 * Ends a session whose cookie is at hand: here first, then at the provider (RFC 7009; at most 2 s, best effort). Resolves to whether the
 * provider confirmed the latter; `undefined`: there was nothing to revoke.
 */
export async function endSession(context: HttpContext, session: OpenSession): Promise<boolean | undefined> {
  const { refreshToken } = await context.sessions.endOpened(session)
  return refreshToken === undefined ? undefined : context.provider.revoke(refreshToken, 'logout')
}

/** Where the browser goes now, and what it must remember until it comes back. */
interface Leaving {
  readonly url: string
  readonly setCookies: readonly string[]
}

function leave(
  context: HttpContext,
  request: FastifyRequest,
  session: OpenSession | undefined,
  returnTo: string,
): Leaving {
  // Without a session too: the provider's own may live on, and whoever signs in next would be the former user.
  const { identity, tokens } = session?.record ?? {}
  const state = randomBytes(stateBytes).toString('base64url')
  const url = context.provider.endSessionUrl({ idToken: tokens?.idToken, identity, state })
  if (url === undefined) return { url: returnTo, setCookies: [] }
  const transaction = { state, returnTo, startedAtMs: context.now() }
  const setCookies = startTransaction(context, 'logout', request.headers.cookie, transaction)
  return { url: url.href, setCookies }
}

function report(
  { telemetry }: HttpContext,
  request: FastifyRequest,
  session: OpenSession | undefined,
  revoked: boolean | undefined,
): void {
  const outcome = session === undefined ? 'no_session' : 'ended'
  const { sessionRef, userRef } = session?.view ?? {}
  telemetry.metrics.logout('browser', outcome)
  telemetry.audit.event('logout.completed', {
    requestId: request.id,
    outcome,
    ...(sessionRef === undefined ? {} : { sessionRef }),
    ...(userRef === undefined ? {} : { userRef }),
    ...(revoked === undefined ? {} : { revoked }),
  })
}
