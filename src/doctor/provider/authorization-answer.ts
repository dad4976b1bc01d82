import type { Config } from '../../config/load-config.ts'
import { redirectUri } from '../../oidc/login/login.ts'
import { createProvider } from '../../oidc/provider/create-provider.ts'
import type { ProviderOptions } from '../../oidc/provider/options.ts'
import type { Provider } from '../../oidc/provider/provider.ts'
import { SkipCheck } from '../finding.ts'
import { quietTelemetry } from '../quiet-telemetry.ts'
import { createProviderAsk } from './ask-provider.ts'
import { type AuthorizationAnswer, probeAuthorization } from './authorization-probe.ts'
import { demandIn } from './demand.ts'

/**
 * How the provider answers the authorization request that a login of this gateway would make.
 *
 * @param baseUrl under which the browser would come back
 * @param now the clock, epoch milliseconds
 * @throws GatewayError `provider_unavailable`; SkipCheck when browsers reach the provider and this machine does not
 */
export async function authorizationAnswer(
  config: Config,
  baseUrl: URL,
  now: () => number,
): Promise<AuthorizationAnswer> {
  const provider = createProvider(silenceable(config, baseUrl), { telemetry: quietTelemetry(), now })
  try {
    return await answerTo(provider, config, baseUrl)
  } finally {
    await provider.close()
  }
}

/** A prompt that the operator fixed would take the place of `prompt=none`, and no page can be passed from here. */
function silenceable(config: Config, baseUrl: URL): ProviderOptions {
  const { prompt: _prompt, ...authorizationParameters } = config.authorizationParameters
  return { ...config, baseUrl, authorizationParameters }
}

async function answerTo(provider: Provider, config: Config, baseUrl: URL): Promise<AuthorizationAnswer> {
  const answer = await probeAuthorization({
    async begin(isSilent) {
      const parameters: Record<string, string> = isSilent ? { prompt: 'none' } : {}
      return (await provider.beginLogin({ returnTo: '/', parameters, endsSession: undefined })).url
    },
    redirectUri: redirectUri({ baseUrl, authPrefix: config.authPrefix }),
    ask: createProviderAsk(config),
    demandIn: (untrustedText) => demandIn(untrustedText, config),
  })
  if (config.providerAddress !== undefined && saysNothing(answer))
    throw new SkipCheck(
      `The authorization endpoint could not be tried from inside: browsers open it at ${new URL(config.issuerUrl).origin}, this machine asks ${config.providerAddress.origin}.`,
    )
  return answer
}

/** Through the back door a provider may show what no browser would see. */
function saysNothing(answer: AuthorizationAnswer): boolean {
  if (answer.kind === 'unreachable') return true
  return answer.kind === 'refused_page' && answer.about === 'unknown' && answer.demand === undefined
}
