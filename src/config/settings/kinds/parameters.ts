import { type Parser, ValueFault } from '../setting.ts'

/**
 * Parameters that belong to the protocol. Whoever could set one of them would steer the login itself, so neither the browser nor a
 * static setting may (RFC 6749, RFC 7636, RFC 8707, RFC 9101, OpenID Connect Core 1.0). Our own `returnTo` is among them.
 */
const protocolParameters: ReadonlySet<string> = new Set([
  'audience',
  'client_assertion',
  'client_assertion_type',
  'client_id',
  'client_secret',
  'code',
  'code_challenge',
  'code_challenge_method',
  'code_verifier',
  'dpop_jkt',
  'grant_type',
  'id_token_hint',
  'iss',
  'nonce',
  'post_logout_redirect_uri',
  'redirect_uri',
  'refresh_token',
  'registration',
  'request',
  'request_uri',
  'resource',
  'response_mode',
  'response_type',
  'returnto',
  'scope',
  'state',
])

function parameterName(untrusted: string): string {
  if (!/^[A-Za-z0-9_.:-]{1,64}$/.test(untrusted))
    throw new ValueFault('holds something that is no parameter name')
  if (protocolParameters.has(untrusted.toLowerCase())) {
    throw new ValueFault(
      `must not hold ${untrusted}: protocol parameters have settings of their own or are fixed`,
    )
  }
  return untrusted
}

/** The name of a parameter that a browser may pass through `/login`. */
export const loginParameter: Parser<string> = (untrusted) => {
  // A browser that chooses the claims asked for could take away those that a decision rests on.
  if (untrusted.toLowerCase() === 'claims') throw new ValueFault('must not hold claims')
  return parameterName(untrusted)
}

/** Static parameters, written like a query string. */
export const queryParameters: Parser<Readonly<Record<string, string>>> = (untrusted) => {
  const result: Record<string, string> = {}
  for (const [name, value] of new URLSearchParams(untrusted)) {
    if (Object.hasOwn(result, parameterName(name))) throw new ValueFault(`holds ${name} twice`)
    result[name] = value
  }
  return result
}
