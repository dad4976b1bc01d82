import { GatewayError } from '../../errors/gateway-error.ts'
import type { ProviderContext } from '../provider/context.ts'
import { CheckError } from '../provider/failures/refusal.ts'
import type { AccessToken, ApiAudience } from '../tokens/token-set.ts'
import { type Claims, pickClaims } from './claims.ts'

/**
 * The claims of an access token that routes judge by, after its signature was verified with the provider's keys: the one place where the
 * gateway believes what an access token says (DESIGN-2 sections 1, 6.3).
 *
 * @throws GatewayError `access_token_unusable`, `provider_unavailable` when the keys cannot be had
 */
export async function readVerifiedClaims(
  { keys, options }: ProviderContext,
  token: string,
  audience: ApiAudience,
): Promise<Claims> {
  const names = options.accessClaims?.[audience.key] ?? []
  const isAudienceChecked = options.accessTokenFormat === 'jwt' && audience.accepted.length > 0
  try {
    const audiences = isAudienceChecked ? audience.accepted : 'any'
    const { payload } = await keys.verify(token, { kind: 'access_token' }, ['exp'], audiences)
    return pickClaims(payload, names)
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause
    throw new GatewayError('access_token_unusable', {
      detail: 'The access token could not be verified, so the rule of this address cannot be judged.',
      context: { reason: 'signature', ...(cause instanceof CheckError ? cause.facts : {}) },
      cause,
    })
  }
}

/**
 * A token that has just come, with its claims when a route judges by them. What cannot be verified now is looked at again when it is
 * needed; no login and no refresh fails by it.
 */
export async function withVerifiedClaims(
  context: ProviderContext,
  token: AccessToken,
  audience: ApiAudience,
): Promise<AccessToken> {
  if (context.options.accessClaims?.[audience.key] === undefined) return token
  try {
    return { ...token, claims: await readVerifiedClaims(context, token.value, audience) }
  } catch (error) {
    const code = error instanceof GatewayError ? error.code : 'unknown'
    context.telemetry.log.warn({ code, audience: audience.key }, 'an access token could not be verified')
    return token
  }
}
