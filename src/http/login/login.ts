import type { FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from '../../errors/gateway-error.ts'
import { hashSessionId } from '../../session/record/keys.ts'
import { toGatewayError } from '../answers/error-handler.ts'
import { startTransaction } from '../cookies/transaction-cookies.ts'
import { expectLoginNavigation } from '../guards/navigation-guard.ts'
import type { HttpContext } from '../server/http-context.ts'
import { maxQueryBytes, readQuery } from '../server/query.ts'
import { pickLoginParameters } from './login-parameters.ts'

/** `GET /login`: begins a login, whether or not there is a session, and stores nothing (DESIGN section 3.1). */
export function createLogin(context: HttpContext) {
  const { limits, options, provider, telemetry } = context
  const rules = { names: ['returnTo', ...options.loginParameters], maxBytes: maxQueryBytes }

  async function login(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    // Link checkers ask this way; a cookie and a state would be wasted on them.
    if (request.method === 'HEAD') return reply.code(200).send()
    expectLoginNavigation(request.headers)
    // Only now: pages of other sites can make a browser ask for this in many ways, and would use up what its user needs.
    limits.admitLogin(request)
    const untrusted = readQuery(request.raw.url ?? '', rules)
    const returnTo = context.resolveReturnTo(untrusted.get('returnTo') ?? context.startPath)
    if (returnTo === undefined) throw new GatewayError('return_to_invalid')
    const parameters = pickLoginParameters(untrusted, options.loginParameters)
    const seenId = context.cookies.readSession(request.headers.cookie)
    const endsSession = seenId === undefined ? undefined : hashSessionId(seenId)
    const { url, transaction } = await provider.beginLogin({ returnTo, parameters, endsSession })
    const setCookies = startTransaction(context, 'login', request.headers.cookie, transaction)
    telemetry.metrics.login('started')
    telemetry.audit.event('login.started', { requestId: request.id })
    return reply.header('set-cookie', setCookies).redirect(url.href, 303)
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
