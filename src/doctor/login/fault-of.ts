import type { RouteAudience } from '../../config/route.ts'
import { accessTokenFault } from '../../oidc/access-token-check.ts'
import type { AccessTokenFault } from '../../oidc/provider.ts'
import type { TokenFacts } from '../../oidc/token-facts.ts'
import type { DoctorContext } from '../check.ts'

/** Why an API could not use an access token, by the rule of the settings; doctor's own logins take any. */
export function faultOf(
  { config, hints }: Pick<DoctorContext, 'config' | 'hints'>,
  facts: TokenFacts,
  audience: RouteAudience,
): AccessTokenFault | undefined {
  const { accessTokenFormat: format, clientId } = config
  return accessTokenFault(facts, { format, audience, clientId, hints })
}
