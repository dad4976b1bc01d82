import { GatewayError, type GatewayErrorOptions } from '../../errors/gateway-error.ts'
import type { StepUpDemand } from '../../http/login/step-up.ts'
import type { AccessRules } from '../rules/rules.ts'

type Described = Pick<AccessRules, 'resourceMetadata'>

/** Algorithms of proofs that are taken (RFC 9449 section 7.1). */
const proofAlgorithms = 'ES256 PS256 RS256 EdDSA'

function parameters(named: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(named)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${value.replaceAll(/["\\]/g, '')}"`]))
    .join(', ')
}

/** A challenge that leads to the provider (RFC 6750 section 3, RFC 9728 section 5.1). */
export function bearerChallenge(
  rules: Described,
  more: Readonly<Record<string, string | undefined>> = {},
): string {
  return `Bearer ${parameters({ ...more, resource_metadata: rules.resourceMetadata })}`
}

/** A route that takes tokens was called without credentials. */
export function bearerMissing(rules: Described): GatewayError {
  return new GatewayError('bearer_invalid', { headers: { 'www-authenticate': bearerChallenge(rules) } })
}

/**
 * A token did not verify.
 *
 * @param reason which check has failed; never a value
 */
export function bearerRefusal(rules: Described, reason: string): GatewayError {
  const challenge = bearerChallenge(rules, { error: 'invalid_token', error_description: reason })
  return new GatewayError('bearer_invalid', {
    headers: { 'www-authenticate': challenge },
    context: { reason },
  })
}

/** The proof of possession that a token demands is missing or did not verify. */
export function proofRefusal(rules: Described, reason: string): GatewayError {
  const error = { error: 'invalid_dpop_proof', error_description: reason, algs: proofAlgorithms }
  const challenge = `DPoP ${parameters({ ...error, resource_metadata: rules.resourceMetadata })}`
  return new GatewayError('bearer_invalid', {
    headers: { 'www-authenticate': challenge },
    detail: 'This access token is bound to a key, and the request did not prove that its sender has it.',
    context: { reason },
  })
}

/**
 * Nobody is signed in; a page may sign in here, anybody else at the provider.
 *
 * @param why what is known of the reason
 */
export function sessionMissing(rules: Described, loginUrl: string, why: GatewayErrorOptions): GatewayError {
  return new GatewayError('session_missing', {
    ...why,
    headers: { 'www-authenticate': bearerChallenge(rules) },
    extensions: { loginUrl },
  })
}

/** A bearer has to come back with a token of a stronger or fresher sign-in (RFC 9470 section 3). */
export function bearerStepUp(rules: Described, demand: StepUpDemand, detail: string): GatewayError {
  const challenge = bearerChallenge(rules, {
    error: 'insufficient_user_authentication',
    error_description: 'a stronger or fresher sign-in is required',
    acr_values: demand.acrValues,
    max_age: demand.maxAge,
  })
  return new GatewayError('step_up_required', { detail, headers: { 'www-authenticate': challenge } })
}

/** A bearer whose token does not hold what the route asks for (RFC 6750 section 3.1). */
export function bearerForbidden(rules: Described, scope: string | undefined, detail: string): GatewayError {
  const challenge = bearerChallenge(rules, { error: 'insufficient_scope', scope })
  return new GatewayError('forbidden', { detail, headers: { 'www-authenticate': challenge } })
}
