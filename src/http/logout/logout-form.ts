import type { FastifyReply, FastifyRequest } from 'fastify'
import { openSessionOf } from '../../session/lifecycle/fastify-store.ts'
import { logoutProofField } from '../answers/pages.ts'
import { csrfError, csrfRefusal } from '../guards/csrf-guard.ts'
import type { HttpContext } from '../server/http-context.ts'
import { logOut } from './logout.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The guard let a `POST /logout` in only to look for the proof in its form. */
    awaitsLogoutProof: boolean
  }
}

/**
 * The guard of `POST /logout`: as everywhere, but a form that merely lacks the header may show the proof of our confirmation page instead.
 * Until that has been checked no session is read.
 */
export function createLogoutGuard(context: HttpContext) {
  return function guardLogout(
    request: FastifyRequest,
    _reply: FastifyReply,
    done: (error?: Error) => void,
  ): void {
    const refusal = csrfRefusal(request.headers, context.csrfPolicy)
    request.awaitsLogoutProof = refusal === 'header_missing' && isForm(request)
    if (refusal === undefined || request.awaitsLogoutProof) done()
    else done(csrfError(refusal))
  }
}

function isForm(request: FastifyRequest): boolean {
  return request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true
}

/** `POST /logout`. */
export function createLogout(context: HttpContext) {
  return async function logout(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const session = request.awaitsLogoutProof
      ? await context.sessions.open(provenSessionId(context, request))
      : openSessionOf(request.session)
    return logOut(context, request, reply, session)
  }
}

function provenSessionId(context: HttpContext, request: FastifyRequest): string {
  const id = context.cookies.readSession(request.headers.cookie)
  const untrustedProof = proofOf(request.body)
  if (id !== undefined && context.logoutProofs.isValid(id, untrustedProof)) return id
  throw csrfError('header_missing')
}

function proofOf(untrustedBody: unknown): string {
  if (!Buffer.isBuffer(untrustedBody)) return ''
  const proofs = new URLSearchParams(untrustedBody.toString()).getAll(logoutProofField)
  return proofs.length === 1 ? (proofs[0] ?? '') : ''
}
