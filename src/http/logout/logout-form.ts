import type { FastifyReply, FastifyRequest } from 'fastify'
import { problemRules } from '../../errors/problem.ts'
import { openSessionOf } from '../../session/lifecycle/fastify-store.ts'
import { isNavigation } from '../answers/error-answer.ts'
import { reportError } from '../answers/error-handler.ts'
import { logoutProofField } from '../answers/pages.ts'
import { type CsrfRefusal, csrfError, csrfRefusal } from '../guards/csrf-guard.ts'
import type { HttpContext } from '../server/http-context.ts'
import { logOut } from './logout.ts'
import { createLogoutConfirmation } from './logout-confirmation.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The guard let a `POST /logout` in only to look for the proof in its form. */
    awaitsLogoutProof: boolean
  }
}

/**
 * The guard of `POST /logout`: as everywhere, but a form of our own origin needs no header that old browsers and stripping proxies leave
 * out: no other site's form can bear our `Origin`. One without even that may show the proof of our confirmation page instead; until that
 * has been checked no session is read. A person whose form cannot pass is asked on that page.
 */
export function createLogoutGuard(context: HttpContext) {
  const confirm = createLogoutConfirmation(context)

  return function guardLogout(
    request: FastifyRequest,
    reply: FastifyReply,
    done: (error?: Error) => void,
  ): void {
    const refusal = csrfRefusal(request.headers, context.csrfPolicy)
    const isLenient = refusal === 'header_missing' && isForm(request)
    const isOwnForm = isLenient && request.headers.origin === context.csrfPolicy.origin
    request.awaitsLogoutProof = isLenient && !isOwnForm
    if (refusal === undefined || isLenient) done()
    else if (isForm(request) && isNavigation(request.headers)) askInstead(refusal, request, reply)
    else done(csrfError(refusal))
  }

  function askInstead(reason: CsrfRefusal, request: FastifyRequest, reply: FastifyReply): void {
    reportError(context.telemetry, csrfError(reason), request.id)
    confirm(request, reply.code(problemRules.csrf_rejected.status))
  }
}

function isForm(request: FastifyRequest): boolean {
  return request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true
}

/** `POST /logout`. */
export function createLogout(context: HttpContext) {
  const confirm = createLogoutConfirmation(context)

  return async function logout(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if (!request.awaitsLogoutProof) return logOut(context, request, reply, openSessionOf(request.session))
    const id = provenSessionId(context, request)
    if (id !== undefined) return logOut(context, request, reply, await context.sessions.open(id))
    if (!isNavigation(request.headers)) throw csrfError('header_missing')
    return confirm(request, reply.code(problemRules.csrf_rejected.status))
  }
}

function provenSessionId(context: HttpContext, request: FastifyRequest): string | undefined {
  const id = context.cookies.readSession(request.headers.cookie)
  const untrustedProof = proofOf(request.body)
  return id !== undefined && context.logoutProofs.isValid(id, untrustedProof) ? id : undefined
}

function proofOf(untrustedBody: unknown): string {
  if (!Buffer.isBuffer(untrustedBody)) return ''
  const proofs = new URLSearchParams(untrustedBody.toString()).getAll(logoutProofField)
  return proofs.length === 1 ? (proofs[0] ?? '') : ''
}
