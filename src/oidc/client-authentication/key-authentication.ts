import { type ClientAuth, modifyAssertion, PrivateKeyJwt } from 'openid-client'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { SigningAlgorithm } from '../../signing/algorithms.ts'
import type { ClientKeys } from './client-keys.ts'
import { librarySigner } from './signing-key.ts'

/**
 * `private_key_jwt` (OpenID Connect Core section 9, RFC 7523): an assertion for the issuer, good for a minute, with an id of its own for each
 * request, signed with the key that is in force now.
 *
 * @param allowed what a security profile allows
 */
export function createKeyAuthentication(keys: ClientKeys, allowed?: readonly SigningAlgorithm[]): ClientAuth {
  return (server, client, body, headers) => {
    const key = keys.signing()
    if (key === undefined)
      throw new GatewayError('provider_rejected', { context: { reason: 'no CLIENT_KEY' } })
    const signer = librarySigner(key, server.token_endpoint_auth_signing_alg_values_supported, allowed)
    const apply = PrivateKeyJwt(signer.key, { [modifyAssertion]: signer.modify })
    return apply(server, client, body, headers)
  }
}
