import { GatewayError } from '../../errors/gateway-error.ts'
import { factsIn } from '../../oidc/provider/failures/refusal.ts'
import type { Provider } from '../../oidc/provider/provider.ts'
import type { ApiAudience } from '../../oidc/tokens/token-set.ts'
import type { SignatureVerdict } from './login-report.ts'

const verdicts: Readonly<Record<string, SignatureVerdict>> = {
  'token.kid': 'unpublished',
  'token.signature': 'forged',
  'token.alg': 'unreadable',
  'token.format': 'unreadable',
}

/** Whether an access token was signed with a key that the provider publishes; what its claims say is judged elsewhere. */
export async function verdictOf(
  provider: Provider,
  token: string,
  audience: ApiAudience,
): Promise<SignatureVerdict> {
  try {
    await provider.readVerifiedClaims(token, audience)
    return 'verified'
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'access_token_unusable') return 'unknown'
    const { check } = factsIn(error.context)
    // Claims are looked at after the signature.
    return verdicts[check ?? ''] ?? 'verified'
  }
}
