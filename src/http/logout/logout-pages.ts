import type { FastifyReply, FastifyRequest } from 'fastify'
import { openSessionOf } from '../../session/lifecycle/fastify-store.ts'
import { findTransactions } from '../cookies/transaction-cookies.ts'
import { isOwnNavigation } from '../guards/navigation-guard.ts'
import type { HttpContext } from '../server/http-context.ts'
import { queryOf } from '../server/query.ts'
import { logOut } from './logout.ts'
import { createLogoutConfirmation } from './logout-confirmation.ts'

/** Whether a `GET /logout` acts at once. */
export function isActingLogout(request: FastifyRequest): boolean {
  return request.method === 'GET' && isOwnNavigation(request.headers)
}

/** `GET /logout`: acts when a page of ours certainly sent the browser here, otherwise asks, and nothing changes. */
export function createLogoutNavigation(context: HttpContext) {
  const confirm = createLogoutConfirmation(context)

  return async function logoutNavigation(
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    if (isActingLogout(request)) return logOut(context, request, reply, openSessionOf(request.session))
    return confirm(request, reply)
  }
}

/**
 * `GET /logout/callback`: back from the provider. Never fails: the session is over by now, so `state` only chooses the way home. Auth0's
 * `/v2/logout` returns none; then the latest logout of this browser is meant.
 */
export function createLogoutCallback(context: HttpContext) {
  return function logoutCallback(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const untrustedState = new URLSearchParams(queryOf(request.raw.url ?? '')).get('state')
    const found = findTransactions(context, 'logout', request.headers.cookie)
    const match =
      untrustedState === null
        ? found[0]
        : found.find(({ transaction }) => transaction.state === untrustedState)
    if (match === undefined) return reply.redirect(context.startPath, 303)
    return reply
      .header('set-cookie', context.cookies.clearTransaction(match.cookieName))
      .redirect(match.transaction.returnTo, 303)
  }
}
