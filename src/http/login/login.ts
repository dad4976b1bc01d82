import type { FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from '../../errors/gateway-error.ts'
import { hashSessionId } from '../../session/record/keys.ts'
import { toGatewayError } from '../answers/error-handler.ts'
import { startTransaction } from '../cookies/transaction-cookies.ts'
import { expectLoginNavigation } from '../guards/navigation-guard.ts'
import type { HttpContext } from '../server/http-context.ts'
import { invalid, maxHeadBytes, queryOf, readQuery } from '../server/query.ts'
import { type AskedLogin, pickLoginParameters } from './login-parameters.ts'
import { initiatedLogin, initiationParameters } from './provider-initiated.ts'

/**
 * `GET /login`: begins a login, whether or not there is a session, and stores nothing (DESIGN section 3.1). With `iss`, as a form too: a login
 * that the provider or a portal begins (OpenID Connect Core section 4).
 */
export function createLogin(context: HttpContext) {
  const { limits, options, provider, telemetry } = context
  const names = ['returnTo', 'stepUp', ...new Set([...options.loginParameters, ...initiationParameters])]
  const rules = { names, maxBytes: maxHeadBytes }

  async function login(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    // Link checkers ask this way; a cookie and a state would be wasted on them.
    if (request.method === 'HEAD') return reply.code(200).send()
    expectLoginNavigation(request.headers)
    // Only now: pages of other sites can make a browser ask for this in many ways, and would use up what its user needs.
    limits.admitLogin(request)
    if (provider.pushesLogins()) limits.admitPush(request)
    const { returnTo, parameters, stepUp: handle } = read(request)
    const seenId = context.cookies.readSession(request.headers.cookie)
    const endsSession = seenId === undefined ? undefined : hashSessionId(seenId)
    const stepUp = handle === undefined ? undefined : context.stepUps.open(handle, endsSession)
    const { url, transaction } = await provider.beginLogin({ returnTo, parameters, endsSession, stepUp })
    const setCookies = startTransaction(context, 'login', request.headers.cookie, transaction)
    telemetry.metrics.login('started')
    telemetry.audit.event('login.started', { requestId: request.id })
    return reply.header('set-cookie', setCookies).redirect(url.href, 303)
  }

  function read(request: FastifyRequest): AskedLogin {
    const isForm = request.method === 'POST'
    const untrusted = readQuery(isForm ? `?${formOf(request.body)}` : (request.raw.url ?? ''), rules)
    if (isForm && queryOf(request.raw.url ?? '') !== '') throw invalid('A form has no query beside it.')
    const initiated = initiatedLogin(context, untrusted, isForm)
    if (initiated !== undefined) return initiated
    const returnTo = context.resolveReturnTo(untrusted.get('returnTo') ?? context.startPath)
    if (returnTo === undefined) throw new GatewayError('return_to_invalid')
    const parameters = pickLoginParameters(untrusted, options.loginParameters)
    return { returnTo, parameters, stepUp: untrusted.get('stepUp') }
  }

  return async function countedLogin(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    try {
      return await login(request, reply)
    } catch (thrown) {
      telemetry.metrics.login(toGatewayError(thrown).code)
      throw thrown
    }
  }
}

/** A form is read like a query: each parameter once. */
function formOf(untrustedBody: unknown): string {
  return typeof untrustedBody === 'string' ? untrustedBody : ''
}
