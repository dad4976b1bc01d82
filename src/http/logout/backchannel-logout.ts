import type { FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from '../../errors/gateway-error.ts'
import { problemRules, retryAfterSeconds } from '../../errors/problem.ts'
import { LogoutTokenError } from '../../oidc/logout/logout-token.ts'
import { factsIn } from '../../oidc/provider/failures/refusal.ts'
import type { LogoutToken } from '../../oidc/provider/provider.ts'
import { reportError, toGatewayError } from '../answers/error-handler.ts'
import type { HttpContext } from '../server/http-context.ts'
import { invalid } from '../server/query.ts'

const firstServerStatus = 500

/**
 * `POST /backchannel-logout` (OpenID Connect Back-Channel Logout 1.0 section 2.5): 200 when the sessions are gone or were never here, 400
 * when the token is invalid, 5xx when it should be sent again.
 */
export function createBackchannelLogout(context: HttpContext) {
  const { limits, provider, sessions, telemetry } = context

  async function logout(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const token = await verified(request)
    const { ended, replayed } = await sessions.endByLogoutToken(token)
    const outcome = replayed ? 'replayed' : ended > 0 ? 'ended' : 'unknown'
    telemetry.metrics.logout('backchannel', outcome)
    telemetry.audit.event('logout.backchannel', { requestId: request.id, outcome, count: ended })
    return reply.code(200).header('cache-control', 'no-store').send()
  }

  /** A valid token is never limited by address: the provider is one address, and ends many sessions at once. */
  async function verified(request: FastifyRequest): Promise<LogoutToken> {
    try {
      return await provider.verifyLogoutToken(readLogoutToken(request.body), sessions.isNamed)
    } catch (error) {
      const isTheirs = problemRules[toFailure(error).code].status < firstServerStatus
      throw (isTheirs ? limits.countStray(request) : undefined) ?? error
    }
  }

  function answerError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const error = toFailure(thrown)
    const { status, detail } = problemRules[error.code]
    const isRepeatable = status >= firstServerStatus || error.code === 'rate_limited'
    const outcome = isRepeatable ? 'failed' : 'invalid'
    telemetry.metrics.logout('backchannel', outcome)
    telemetry.audit.event('logout.backchannel', {
      requestId: request.id,
      outcome,
      code: error.code,
      ...(error.detail === undefined ? {} : { reason: error.detail }),
      ...factsIn(error.context),
    })
    reportError(telemetry, error, request.id)
    const body = {
      error: isRepeatable ? 'temporarily_unavailable' : 'invalid_request',
      error_description: error.detail ?? detail,
    }
    const retryAfter = retryAfterSeconds(error)
    if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
    void reply.code(status).header('cache-control', 'no-store').send(body)
  }

  return { logout, answerError }
}

function toFailure(thrown: unknown): GatewayError {
  if (!(thrown instanceof LogoutTokenError)) return toGatewayError(thrown)
  return new GatewayError('request_invalid', { detail: thrown.message, context: { ...thrown.facts } })
}

function readLogoutToken(untrustedBody: unknown): string {
  const untrusted =
    typeof untrustedBody === 'object' && untrustedBody !== null && 'logout_token' in untrustedBody
      ? untrustedBody.logout_token
      : undefined
  if (typeof untrusted === 'string' && untrusted !== '') return untrusted
  throw invalid('The form must hold logout_token once.')
}
