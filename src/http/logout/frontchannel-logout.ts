import type { FastifyReply, FastifyRequest } from 'fastify'
import { pageHeaders } from '../answers/security-headers.ts'
import type { HttpContext } from '../server/http-context.ts'
import { invalid, maxQueryBytes, readQuery } from '../server/query.ts'

/**
 * `GET /frontchannel-logout?iss&sid` (OpenID Connect Front-Channel Logout 1.0): ends the sessions of one session at the provider. The `sid`
 * is the proof; no cookie reaches a frame of another site. It never revokes tokens, because anyone who learns a `sid` could.
 */
export function createFrontchannelLogout(context: HttpContext) {
  const { limits, provider, sessions, telemetry, pages } = context
  const headers = pageHeaders(pages.policy, new URL(provider.issuer).origin)

  return async function frontchannelLogout(
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const rules = { names: ['iss', 'sid'], maxBytes: maxQueryBytes }
    const untrusted = readQuery(request.raw.url ?? '', rules)
    // There is one provider: some, such as Entra, do not say who they are.
    const iss = untrusted.get('iss') ?? provider.issuer
    if (iss !== provider.issuer) throw invalid('The parameter iss must name the provider.')
    const sid = untrusted.get('sid')
    if (sid === undefined || sid === '') throw invalid('The parameter sid is missing.')
    limits.admitStray(request)
    const count = await sessions.endByProviderSession(provider.issuer, sid)
    const outcome = count > 0 ? 'ended' : 'unknown'
    if (count === 0) limits.countStray(request)
    telemetry.metrics.logout('frontchannel', outcome)
    telemetry.audit.event('logout.frontchannel', { requestId: request.id, outcome, count })
    return reply.headers(headers).send(pages.loggedOut())
  }
}
