import type { FastifyReply, FastifyRequest } from 'fastify'
import { pageHeaders } from '../answers/security-headers.ts'
import type { HttpContext } from '../server/http-context.ts'
import { logoutReturnTo } from './logout.ts'

/** Answers with the page that asks whether to sign out, by a form of our own; nothing changes until it is sent. */
export function createLogoutConfirmation(context: HttpContext) {
  const headers = pageHeaders(context.pages.policy)

  return function confirmLogout(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const returnTo = logoutReturnTo(context, request)
    const id = context.cookies.readSession(request.headers.cookie)
    const form = {
      action: `${context.paths.logout}?returnTo=${encodeURIComponent(returnTo)}`,
      proof: id === undefined ? undefined : context.logoutProofs.issue(id),
    }
    const page = context.pages.confirmLogout(form, request.headers['accept-language'])
    return reply.headers(headers).send(page)
  }
}
