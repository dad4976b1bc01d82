import { isPlainObject } from '../../basics/plain-object.ts'
import type { ProviderOptions } from '../provider/options.ts'
import type { LoginDemand } from '../provider/provider.ts'

/** How the user must have signed in; sealed into the transaction and compared with the ID token. */
export interface Demands {
  /** The acceptable `acr` values, separated by blanks. */
  readonly acrValues: string | undefined
  /** How long ago at most, seconds. */
  readonly maxAgeSeconds: number | undefined
}

/**
 * What a login must come back with. A link's `acr_values` count only where the operator has fixed none, in `AUTHORIZATION_PARAMETERS` or in
 * `CLAIMS`; of two `max_age` the smaller counts: a link may only ask for more.
 *
 * @param link parameters of `/login`, allow-listed
 * @param stepUp a sealed demand, which takes the operator's place
 */
export function demandsOf(
  link: Readonly<Record<string, string>>,
  { authorizationParameters: fixed, claims }: Pick<ProviderOptions, 'authorizationParameters' | 'claims'>,
  stepUp: LoginDemand = {},
): Demands {
  const operators = [fixed.acr_values, acrOf(claims)]
    .filter((one) => one !== undefined && one !== '')
    .join(' ')
  const acrValues =
    stepUp.acrValues ?? acrOf(stepUp.claims) ?? (operators === '' ? link.acr_values : operators)
  const ages = [fixed.max_age, link.max_age, stepUp.maxAge].filter((one) => one !== undefined).map(Number)
  return { acrValues, maxAgeSeconds: ages.length === 0 ? undefined : Math.min(...ages) }
}

/**
 * The `acr` that the `claims` parameter asks of the ID token (OpenID Connect Core section 5.5.1.1), separated by blanks.
 *
 * @param claims JSON text
 */
export function acrOf(claims: string | undefined): string | undefined {
  const idToken = memberOf(claims === undefined ? undefined : JSON.parse(claims), 'id_token')
  const acr = memberOf(idToken, 'acr')
  const values = [memberOf(acr, 'value'), memberOf(acr, 'values')].flat()
  const texts = values.filter((one) => typeof one === 'string')
  return texts.length === 0 ? undefined : texts.join(' ')
}

function memberOf(untrusted: unknown, name: string): unknown {
  return isPlainObject(untrusted) ? untrusted[name] : undefined
}

/** The demands as parameters of the authorization request. */
export function demandParameters({ acrValues, maxAgeSeconds }: Demands): Readonly<Record<string, string>> {
  return {
    ...(acrValues === undefined ? {} : { acr_values: acrValues }),
    ...(maxAgeSeconds === undefined ? {} : { max_age: String(maxAgeSeconds) }),
  }
}
