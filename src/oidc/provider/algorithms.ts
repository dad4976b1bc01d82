import type { ServerMetadata } from 'openid-client'
import { signatureAlgorithms } from '../../config/settings/kinds/algorithm.ts'
import { fapiAlgorithms, type SigningAlgorithm } from '../../signing/algorithms.ts'
import type { ProviderOptions } from './options.ts'

const edwards: readonly string[] = ['EdDSA', 'Ed25519']

/**
 * The algorithms with which the provider may sign: those of `ID_TOKEN_ALGORITHM`, else those that it announces, else all that are safe. One
 * rule for every JWT of the provider. Both names of EdDSA mean the same here (RFC 9864).
 */
export function allowedAlgorithms(
  configured: readonly string[] | undefined,
  {
    id_token_signing_alg_values_supported: announced,
  }: Pick<ServerMetadata, 'id_token_signing_alg_values_supported'>,
): readonly string[] {
  const named = configured ?? announced
  if (!Array.isArray(named)) return signatureAlgorithms
  const isNamed = (name: string) => named.includes(name)
  return signatureAlgorithms.filter(
    (name) => isNamed(name) || (edwards.includes(name) && edwards.some(isNamed)),
  )
}

/** The algorithms with which this client signs, and API tokens are signed; `undefined`: no profile says so. */
export function profileAlgorithms({
  securityProfile = 'none',
}: Pick<ProviderOptions, 'securityProfile'>): readonly SigningAlgorithm[] | undefined {
  return securityProfile === 'none' ? undefined : fapiAlgorithms
}
