import type { Provider } from '../../oidc/provider/provider.ts'
import { type AuthorizationAnswer, probeAuthorization } from './authorization-probe.ts'

/**
 * How the provider answers the authorization request that a login of this gateway would make.
 *
 * @throws GatewayError `provider_unavailable`
 */
export async function authorizationAnswer(
  provider: Provider,
  redirectUri: string,
  timeoutMs: number,
): Promise<AuthorizationAnswer> {
  const { url } = await provider.beginLogin({ returnTo: '/', parameters: {}, endsSession: undefined })
  return probeAuthorization(url, redirectUri, timeoutMs)
}
