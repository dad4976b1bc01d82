import { createProvider } from '../../../src/oidc/provider/create-provider.ts'
import type { ProviderOptions } from '../../../src/oidc/provider/options.ts'
import type { CompletedLogin, Provider, RefreshOutcome } from '../../../src/oidc/provider/provider.ts'
import { createAudit } from '../../../src/telemetry/audit.ts'
import { silentLogger } from '../../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../../src/telemetry/measures/metrics.ts'
import type { ScriptedProvider } from './scripted-provider.ts'

/** Opens the gateway's side of a scripted provider. */
export function openProvider(
  scripted: ScriptedProvider,
  changes: Partial<ProviderOptions> = {},
  now: () => number = Date.now,
): Provider {
  const log = silentLogger()
  return createProvider(
    {
      issuerUrl: scripted.issuer,
      clientId: scripted.clientId,
      clientSecret: scripted.clientSecret,
      clientAuthentication: 'client_secret_post',
      baseUrl: new URL('http://127.0.0.1:3999'),
      authPrefix: '',
      scope: 'openid offline_access',
      audience: audienceOf(scripted),
      accessTokenFormat: 'jwt',
      authorizationParameters: {},
      tokenParameters: {},
      endSessionUrl: undefined,
      userClaims: ['sub', 'name'],
      providerTimeout: 2,
      ...changes,
    },
    { telemetry: { log, audit: createAudit(log), metrics: noMetrics }, now },
  )
}

const audienceOf = ({ audience }: ScriptedProvider) =>
  ({ key: audience, value: audience, parameter: 'audience', accepted: [audience], scope: undefined }) as const

/** A whole login, from the authorization request to the tokens. */
export async function logIn(scripted: ScriptedProvider, provider: Provider): Promise<CompletedLogin> {
  const { url, transaction } = await provider.beginLogin({
    returnTo: '/',
    parameters: {},
    endsSession: undefined,
  })
  const query = scripted.approve(url)
  await provider.checkAuthorizationResponse(query, transaction)
  return provider.completeLogin(query, transaction)
}

/** One refresh of what a login has yielded. */
export function refreshOf(
  scripted: ScriptedProvider,
  provider: Provider,
  { refreshToken = '', identity }: Pick<CompletedLogin, 'refreshToken' | 'identity'>,
): Promise<RefreshOutcome> {
  return provider.refresh({ refreshToken, identity, audience: audienceOf(scripted) })
}
