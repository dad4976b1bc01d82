import { GatewayError } from '../../errors/gateway-error.ts'
import { type BearerChallenge, readBearerChallenge, withoutPrompts } from './challenges.ts'

/**
 * What an upstream's 401 means: the error to answer when it wants a stronger login, `curable` when another token may be accepted,
 * `final` when it is simply the API's answer.
 */
export function judgeRefusal(
  rawHeaders: readonly Buffer[],
  authPrefix: string,
): GatewayError | 'curable' | 'final' {
  const challenge = bearerChallengeOf(rawHeaders)
  if (challenge?.error === 'insufficient_user_authentication') {
    return stepUpRequired(challenge, rawHeaders, authPrefix)
  }
  return challenge?.error === 'invalid_token' ? 'curable' : 'final'
}

/** The bearer challenge of an upstream's 401, from its raw headers. */
function bearerChallengeOf(rawHeaders: readonly Buffer[]): BearerChallenge | undefined {
  const value = challengesOf(rawHeaders)
  return value === undefined ? undefined : readBearerChallenge(value)
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

/**
 * An API that wants a stronger or fresher login (RFC 9470 section 3), as our own answer: the same demand, and the address
 * where it can be met.
 */
function stepUpRequired(
  challenge: BearerChallenge,
  rawHeaders: readonly Buffer[],
  authPrefix: string,
): GatewayError {
  const wanted = new URLSearchParams()
  if (challenge.acrValues !== undefined) wanted.set('acr_values', challenge.acrValues)
  if (challenge.maxAge !== undefined) wanted.set('max_age', challenge.maxAge)
  const query = wanted.size === 0 ? '' : `?${wanted}`
  const kept = withoutPrompts(challengesOf(rawHeaders) ?? '')
  return new GatewayError('step_up_required', {
    extensions: { loginUrl: `${authPrefix}/login${query}` },
    ...(kept !== undefined && { headers: { 'www-authenticate': kept } }),
  })
}
