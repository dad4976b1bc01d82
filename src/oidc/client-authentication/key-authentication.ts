import {
  type ClientAuth,
  type ModifyAssertionFunction,
  modifyAssertion,
  PrivateKeyJwt,
  type ServerMetadata,
} from 'openid-client'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { SigningAlgorithm } from '../../signing/algorithms.ts'
import type { ClientKeys } from './client-keys.ts'
import { librarySigner } from './signing-key.ts'

/** What an assertion has to be like. */
export interface AssertionRules {
  /** The signature algorithms that a security profile allows; absent: all of ours. */
  readonly allowed?: readonly SigningAlgorithm[] | undefined
  /** Whom it is for, at a provider with these metadata. */
  readonly audienceAt: (server: ServerMetadata) => string
}

/**
 * `private_key_jwt` (OpenID Connect Core section 9, RFC 7523): an assertion for the provider, good for a minute, with an id of its own for each
 * request, signed with the key that is in force now.
 *
 * @param rules what is signed with, and for whom
 */
export function createKeyAuthentication(
  keys: ClientKeys,
  { allowed, audienceAt }: AssertionRules,
): ClientAuth {
  return (server, client, body, headers) => {
    const key = keys.signing()
    if (key === undefined)
      throw new GatewayError('provider_rejected', { context: { reason: 'no CLIENT_KEY' } })
    const signer = librarySigner(key, server.token_endpoint_auth_signing_alg_values_supported, allowed)
    const audience = audienceAt(server)
    const modify: ModifyAssertionFunction = (header, payload) => {
      signer.modify(header, payload)
      payload.aud = audience
    }
    return PrivateKeyJwt(signer.key, { [modifyAssertion]: modify })(server, client, body, headers)
  }
}
