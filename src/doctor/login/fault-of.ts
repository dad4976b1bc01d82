import type { RouteAudience } from '../../config/audience.ts'
import type { AccessTokenFault } from '../../oidc/provider/provider.ts'
import type { TokenFacts } from '../../oidc/tokens/token-facts.ts'
import { accessTokenFault } from '../../oidc/verification/access-token-check.ts'
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
