import type { Config } from '../../../config/load-config.ts'
import { isProxied, type ProxiedRoute } from '../../../config/routes/route.ts'
import { splitChallenges } from '../../../proxy/headers/challenges.ts'
import type { Check } from '../../check.ts'
import { type Finding, fail, pass, warn } from '../../finding.ts'
import { askApi } from '../../probes/api-probe.ts'
import type { ProbeAnswer } from '../../probes/http-probe.ts'
import { describeFailure, isCertificateFault } from '../../probes/reach.ts'

/** Each API is reached, and asks for a token. */
export const upstreamsCheck: Check = {
  id: 'upstream',
  examine: ({ config }) =>
    Promise.all(
      config.routes.filter(isProxied).map(async (route) => ({
        ...describe(route, await askApi(route, config), config.tokenBinding),
        subject: route.prefix,
      })),
    ),
}

function describe(route: ProxiedRoute, answer: ProbeAnswer, binding: Config['tokenBinding']): Finding {
  const { upstream, auth } = route
  if (answer.kind === 'failed') return describeUnreachable(upstream, answer.code)
  const { status, headers } = answer
  if (status >= 500) return warn(`${upstream.href} answers ${status}.`, 'Look into the log of the API.')
  if (headers.location !== undefined && leadsElsewhere(headers.location, upstream))
    return warn(
      `${upstream.href} redirects to another address, which is not followed (502 upstream_redirect_refused).`,
      `Set the address it redirects to as upstream of ${route.prefix}.`,
    )
  if (auth !== 'required')
    return pass(
      `${upstream.href} answers ${status}; tokens are ${auth === 'none' ? 'not sent' : 'optional'} there.`,
    )
  if (status === 401) return describeChallenge(upstream, headers['www-authenticate'] ?? '', binding)
  if (status < 300)
    return warn(
      `${upstream.href} answers ${status} without a token: whoever reaches it gets in, past the gateway.`,
      'Let the API demand and verify the access token for every request (signature, iss, aud, exp).',
    )
  return pass(`${upstream.href} answers ${status}, which does not show whether it asks for tokens.`)
}

/** The API says in its challenge how it wants to be shown a token, before it has seen any (RFC 9449 section 7.1). */
function describeChallenge(upstream: URL, challenge: string, binding: Config['tokenBinding']): Finding {
  const schemes = (splitChallenges(challenge) ?? []).map(({ scheme }) => scheme)
  const takes = (scheme: string): boolean => schemes.includes(scheme)
  if (takes('dpop') && !takes('bearer') && binding !== 'dpop')
    return fail(
      `${upstream.href} answers 401 and asks for tokens with a proof of possession (DPoP); bearer tokens are sent.`,
      'Set TOKEN_BINDING=dpop, or let the API take bearer tokens.',
    )
  if (takes('bearer') && !takes('dpop') && binding === 'dpop')
    return warn(
      `${upstream.href} answers 401 and asks for bearer tokens; those that are sent are bound to a key (DPoP).`,
      'Let the API take tokens with a proof of possession (docs/api.md), or set TOKEN_BINDING=none.',
    )
  return pass(`${upstream.href} answers 401 without a token.`)
}

function describeUnreachable(upstream: URL, code: string): Finding {
  const fix = isCertificateFault(code)
    ? 'Give the API a certificate for this name, or its authority as UPSTREAM_CA_FILE.'
    : 'Start the API, or correct API_URL (upstream in ROUTES_FILE): seen from here, localhost is this machine or container.'
  return fail(`${upstream.href} cannot be reached: ${describeFailure(code)}.`, fix)
}

function leadsElsewhere(location: string, upstream: URL): boolean {
  const target = URL.parse(location, upstream.href)
  return target === null || target.origin !== upstream.origin
}
