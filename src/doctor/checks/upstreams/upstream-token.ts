import { proofRemedy } from '../../../proxy/exchange/token-refusals.ts'
import { readBearerChallenge } from '../../../proxy/headers/challenges.ts'
import type { Check, DoctorContext } from '../../check.ts'
import { type Finding, fail, pass, warn } from '../../finding.ts'
import { type ApiTrial, loginReport } from '../../login/login-report.ts'
import { plainText, quoted } from '../../plain-text.ts'
import type { ProbeAnswer } from '../../probes/http-probe.ts'
import { describeFailure } from '../../probes/reach.ts'

/** Each API accepts the token that the gateway sends there. */
export const upstreamTokenCheck: Check = {
  id: 'upstream.token',
  async examine(context) {
    const { apis } = await loginReport(context)
    return apis.map((trial) => ({ ...describe(trial, context), subject: trial.prefix }))
  },
}

function describe({ prefix, said, upstream }: ApiTrial, context: DoctorContext): Finding {
  if (said.kind === 'untried')
    return { status: 'skip', summary: `${upstream.href} was sent no token: ${plainText(said.reason)}.` }
  const { withToken, withoutToken } = said
  if (withToken.kind === 'failed')
    return {
      status: 'skip',
      summary: `${upstream.href} cannot be reached: ${describeFailure(withToken.code)}.`,
    }
  if (withToken.status === 401) return describeRefusal({ prefix, upstream }, withToken, context)
  if (withToken.status >= 500)
    return warn(`${upstream.href} answers ${withToken.status} to the token.`, 'Look into the log of the API.')
  const asksFor = withoutToken.kind === 'answered' && withoutToken.status === 401
  if (asksFor)
    return pass(`${upstream.href} answers 401 without a token and ${withToken.status} with the login's.`)
  return {
    status: 'skip',
    summary: `Whether ${upstream.href} accepts the token could not be told: it answers ${withToken.status} with it and without.`,
  }
}

type Answered = ProbeAnswer & { readonly kind: 'answered' }

function describeRefusal(
  { prefix, upstream }: Pick<ApiTrial, 'prefix' | 'upstream'>,
  { headers }: Answered,
  { config }: DoctorContext,
): Finding {
  const sent = config.tokenBinding === 'dpop' ? 'dpop' : 'bearer'
  const challenge = readBearerChallenge(headers['www-authenticate'] ?? '', sent)
  const { error, description } = challenge ?? {}
  if (error === 'insufficient_user_authentication' || error === 'insufficient_claims')
    return pass(`${upstream.href} accepts the token, and asks for a stronger sign-in (step-up).`)
  const named = config.routes.find((route) => route.prefix === prefix)?.proofUrl ?? upstream
  const words = [error, description].filter((each) => each !== undefined).map(quoted)
  const because = words.length === 0 ? '' : `; it says ${words.join(', ')}`
  return fail(
    `${upstream.href} answers 401 to a token that was issued just now${because}.`,
    proofRemedy(challenge, named) ??
      bindingFix(headers['www-authenticate'] ?? '', config) ??
      `Compare what the API expects with the token: issuer ${config.issuerUrl}, audience ${config.audience.accepted.join(' or ') || 'any'}, the provider's jwks_uri, and the clock.`,
  )
}

/** Where the API wants another kind of token than it was shown. */
function bindingFix(challenge: string, { tokenBinding }: DoctorContext['config']): string | undefined {
  const wantsProof = /dpop/i.test(challenge)
  if (wantsProof && tokenBinding !== 'dpop')
    return 'The API wants tokens that are bound to a key (DPoP): set TOKEN_BINDING=dpop, or let it take bearer tokens.'
  return tokenBinding === 'dpop' && !wantsProof
    ? 'The API does not speak of DPoP: let it take tokens with a proof of possession, or set TOKEN_BINDING=none.'
    : undefined
}
