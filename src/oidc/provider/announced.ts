import type { ServerMetadata } from 'openid-client'

/** Members of the metadata that are lists of names wherever they are read, here and in the OpenID library. */
const lists = [
  'token_endpoint_auth_methods_supported',
  'token_endpoint_auth_signing_alg_values_supported',
  'id_token_signing_alg_values_supported',
  'request_object_signing_alg_values_supported',
  'dpop_signing_alg_values_supported',
  'response_modes_supported',
  'code_challenge_methods_supported',
] as const

/** True or false; the OpenID library takes whatever else stands there for true. */
const flag = 'authorization_response_iss_parameter_supported'

/**
 * Metadata whose lists are lists and whose flag is a flag, whatever the provider has written: a single name counts as a list of one,
 * anything else as left out. Otherwise a `null` would fail every login, long after discovery has succeeded.
 */
export function readableMetadata(untrusted: ServerMetadata): ServerMetadata {
  const readable = lists.map((name) => [name, listOf(untrusted[name])] as const)
  return { ...untrusted, ...Object.fromEntries(readable), [flag]: untrusted[flag] === true }
}

function listOf(untrusted: unknown): readonly string[] | undefined {
  if (typeof untrusted === 'string') return [untrusted]
  return Array.isArray(untrusted) ? untrusted.filter((one) => typeof one === 'string') : undefined
}
