import { isPlainObject, parseObject } from '../../../basics/plain-object.ts'
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

/** `max_age` beyond ten digits means nothing. */
const wholeSeconds = /^\d{1,10}$/

/** Static parameters of the authorization request; what the login is verified by must be readable. */
export const authorizationParameters: Parser<Readonly<Record<string, string>>> = (untrusted) => {
  const parameters = queryParameters(untrusted)
  if (parameters.max_age !== undefined && !wholeSeconds.test(parameters.max_age))
    throw new ValueFault('holds a max_age that is no whole number of seconds')
  if (parameters.claims !== undefined) throw new ValueFault('must not hold claims: there is CLAIMS for that')
  return parameters
}

/** The `claims` request parameter: a JSON object with `id_token` and `userinfo` (OpenID Connect Core section 5.5). */
export const claimsParameter: Parser<string> = (untrusted) => {
  const asked = parseObject(untrusted)
  if (asked === undefined) throw new ValueFault('must be a JSON object, such as {"id_token":{"acr":null}}')
  for (const [name, members] of Object.entries(asked)) {
    if (name !== 'id_token' && name !== 'userinfo')
      throw new ValueFault('may hold id_token and userinfo only')
    if (!isPlainObject(members)) throw new ValueFault(`must have an object as ${name}`)
  }
  return JSON.stringify(asked)
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
