import { None } from 'openid-client'
import { createProviderNetwork } from '../../network/provider-network.ts'
import { discoverOnce, MetadataError } from './discovery.ts'
import { describeTransportError } from './failures/provider-error.ts'
import type { ProviderDependencies, ProviderOptions } from './options.ts'

/**
 * Asks once for an issuer's metadata, and keeps nothing of them.
 *
 * @returns what is wrong, without internal detail; `undefined`: the issuer was found
 */
export async function tryIssuer(
  options: ProviderOptions,
  { telemetry }: ProviderDependencies,
): Promise<string | undefined> {
  const network = createProviderNetwork(options, telemetry)
  try {
    await discoverOnce(options, None(), network.fetch('discovery'))
    return undefined
  } catch (error) {
    return error instanceof MetadataError ? error.message : describeTransportError(error)
  } finally {
    network.close()
  }
}
