import type { AccessRules } from '../../access/rules/rules.ts'
import type { GatewayError } from '../../errors/gateway-error.ts'
import type { StepUpDemand, StepUps } from '../../http/login/step-up.ts'
import { readClaimsRequest } from '../../oidc/provider/failures/error-details.ts'
import type { AccessToken } from '../../oidc/tokens/token-set.ts'
import type { SessionView } from '../../session/record/session.ts'
import type { TokenRefusals } from '../exchange/token-refusals.ts'
import { type BearerChallenge, readBearerChallenge, withoutPrompts } from './challenges.ts'

/** What judging an upstream's refusal takes. */
export interface RefusalContext {
  readonly stepUps: Pick<StepUps, 'required'>
  readonly route: Pick<AccessRules, 'token'>
  readonly refusals: TokenRefusals
}

/**
 * What an upstream's 401 means: the error to answer when it wants a stronger login, `curable` when another token may be accepted,
 * `nonce` when it wants its newest nonce in the proof of possession, `final` when it is simply the API's answer.
 *
 * @param token what was sent
 */
export function judgeRefusal(
  rawHeaders: readonly Buffer[],
  { stepUps, route, refusals }: RefusalContext,
  session: SessionView | undefined,
  token: AccessToken | undefined,
): GatewayError | 'curable' | 'nonce' | 'final' {
  const isProved = token?.boundTo !== undefined && session?.binding?.kind === 'dpop'
  const challenge = bearerChallengeOf(rawHeaders, isProved ? 'dpop' : 'bearer')
  const demand = challenge === undefined ? undefined : demandOf(challenge)
  // Without a session nobody here can sign in more strongly: the challenge is the caller's own.
  if (demand !== undefined && session !== undefined && route.token !== 'client') {
    const kept = withoutPrompts(challengesOf(rawHeaders) ?? '')
    return stepUps.required(session, demand, {
      ...(kept !== undefined && { headers: { 'www-authenticate': kept } }),
    })
  }
  if (challenge?.scheme === 'dpop' && challenge.error === 'use_dpop_nonce') return 'nonce'
  // A caller's own token is the caller's affair.
  if (session !== undefined && token !== undefined) refusals.note(challenge, token)
  return challenge?.error === 'invalid_token' ? 'curable' : 'final'
}

/** The bearer challenge of an upstream's 401, from its raw headers. */
function bearerChallengeOf(
  rawHeaders: readonly Buffer[],
  sent: BearerChallenge['scheme'],
): BearerChallenge | undefined {
  const value = challengesOf(rawHeaders)
  return value === undefined ? undefined : readBearerChallenge(value, sent)
}

function challengesOf(rawHeaders: readonly Buffer[]): string | undefined {
  let value: string | undefined
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toString('latin1').toLowerCase() !== 'www-authenticate') continue
    const more = rawHeaders[at + 1]?.toString('latin1') ?? ''
    value = value === undefined ? more : `${value}, ${more}`
  }
  return value
}

/** The demand of an API that wants a stronger or fresher login (RFC 9470 section 3; Entra's claims challenge), or `undefined`. */
function demandOf({ error, acrValues, maxAge, claims }: BearerChallenge): StepUpDemand | undefined {
  if (error === 'insufficient_user_authentication') return { acrValues, maxAge }
  if (error !== 'insufficient_claims' || claims === undefined) return undefined
  const request = readClaimsRequest(Buffer.from(claims, 'base64').toString())
  return request === undefined ? undefined : { claims: request }
}
