import { GatewayError } from '../../../src/errors/gateway-error.ts'
import { createProvider } from '../../../src/oidc/provider/create-provider.ts'
import type { ProviderDependencies, ProviderOptions } from '../../../src/oidc/provider/options.ts'
import type { CompletedLogin, LoginTransaction, Provider } from '../../../src/oidc/provider/provider.ts'
import { createAudit } from '../../../src/telemetry/audit.ts'
import { silentLogger } from '../../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../../src/telemetry/measures/metrics.ts'
import { type FapiProvider, fapiAudience, fapiClient } from './fapi-provider.ts'

/** The gateway's side of a provider of the FAPI 2.0 profile. */
export function openFapi(
  fapi: FapiProvider,
  changes: Partial<ProviderOptions>,
  dependencies: Partial<ProviderDependencies> = {},
): Provider {
  const log = silentLogger()
  return createProvider(
    {
      issuerUrl: fapi.issuer,
      clientId: fapiClient.id,
      clientSecret: undefined,
      clientAuthentication: 'auto',
      baseUrl: new URL('http://127.0.0.1:3999'),
      authPrefix: '',
      scope: 'openid profile offline_access',
      audience: {
        key: 'api',
        value: undefined,
        parameter: 'none',
        accepted: [fapiAudience],
        scope: undefined,
      },
      accessTokenFormat: 'jwt',
      authorizationParameters: { prompt: 'consent' },
      tokenParameters: {},
      endSessionUrl: undefined,
      userClaims: ['sub', 'name'],
      providerTimeout: 5,
      ...changes,
    },
    { telemetry: { log, audit: createAudit(log), metrics: noMetrics }, now: Date.now, ...dependencies },
  )
}

/** A whole login. */
export async function signIn(fapi: FapiProvider, provider: Provider) {
  const begun = await provider.beginLogin({ returnTo: '/', parameters: {}, endsSession: undefined })
  const callback = await fapi.approve(begun.url)
  const login = await finishLogin(provider, callback, begun.transaction)
  return { begun, url: begun.url, callback, login }
}

/** The callback's part, as the endpoint does it. */
export async function finishLogin(
  provider: Provider,
  callback: URL,
  transaction: LoginTransaction,
): Promise<CompletedLogin> {
  const untrusted = callback.search.slice(1)
  const state = await provider.stateOf(untrusted, () => undefined)
  if (state !== transaction.state && state !== undefined) throw new GatewayError('login_state_invalid')
  const answer = await provider.checkAuthorizationResponse(untrusted, transaction)
  return provider.completeLogin(answer, transaction)
}
