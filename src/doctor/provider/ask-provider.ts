import { createProviderNetwork, type ProviderNetworkOptions } from '../../network/provider-network.ts'
import { describeTransportError } from '../../oidc/provider/failures/provider-error.ts'
import type { ProbeAnswer } from '../probes/http-probe.ts'
import { quietTelemetry } from '../quiet-telemetry.ts'

/** Opens an address of the provider, as a browser that follows nothing. Never rejects. */
export type AskProvider = (url: URL) => Promise<ProbeAnswer>

/**
 * Asks by the ways of the gateway's own calls: its proxies, `PROVIDER_CA`, `PROVIDER_ADDRESS` in place of the issuer's origin.
 */
export function createProviderAsk(options: ProviderNetworkOptions): AskProvider {
  return async (url) => {
    const network = createProviderNetwork(options, quietTelemetry())
    const get = network.fetch('discovery')
    const headers = { accept: 'text/html,*/*;q=0.1' }
    try {
      const response = await get(url.href, { method: 'GET', headers, body: null, redirect: 'manual' })
      return {
        kind: 'answered',
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: (await response.text()).slice(0, longestPage),
      }
    } catch (error) {
      return { kind: 'failed', code: describeTransportError(error) }
    } finally {
      network.close()
    }
  }
}

/** Error pages are small; nothing behind this is looked at, characters. */
const longestPage = 65_536
