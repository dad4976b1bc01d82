import { GatewayError } from '../../errors/gateway-error.ts'
import type { HttpContext } from '../server/http-context.ts'
import { invalid } from '../server/query.ts'
import type { AskedLogin } from './login-parameters.ts'

import { pickLoginParameters } from './login-parameters.ts'

/** Parameters of a login that the provider begins (OpenID Connect Core section 4). */
export const initiationParameters = ['iss', 'target_link_uri', 'login_hint'] as const

/**
 * A login that the provider or a portal begins: where it leads, and for whom. Nothing else is taken from it, because anybody can send it.
 *
 * @returns `undefined` when it is none
 * @throws GatewayError `request_invalid`: another provider, a form without `iss`, two return addresses; `return_to_invalid`
 */
export function initiatedLogin(
  context: Pick<HttpContext, 'provider' | 'resolveReturnTo' | 'returnToRules' | 'startPath'>,
  untrusted: ReadonlyMap<string, string>,
  isForm: boolean,
): AskedLogin | undefined {
  const issuer = untrusted.get('iss')
  const target = untrusted.get('target_link_uri')
  if (issuer === undefined && target === undefined && !isForm) return undefined
  if (issuer !== context.provider.issuer) throw invalid('The parameter iss must name the provider.')
  if (target !== undefined && untrusted.has('returnTo'))
    throw invalid('There may be target_link_uri or returnTo, not both.')
  // However long it is, it must not be anybody else's.
  const { origin } = context.returnToRules.baseUrl
  if (target !== undefined && URL.parse(target, origin)?.origin !== origin)
    throw new GatewayError('return_to_invalid')
  const returnTo = context.resolveReturnTo(target ?? untrusted.get('returnTo') ?? context.startPath)
  if (returnTo === undefined) throw new GatewayError('return_to_invalid')
  return { returnTo, parameters: pickLoginParameters(untrusted, ['login_hint']) }
}
