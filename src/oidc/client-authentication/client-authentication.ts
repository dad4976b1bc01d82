import { type ClientAuth, type CustomFetch, None, type ServerMetadata, TlsClientAuth } from 'openid-client'
import type { Logger } from '../../telemetry/telemetry.ts'
import { createAssertionAuthentication } from './assertion-authentication.ts'
import type { ClientCertificateOptions } from './client-certificate.ts'
import type { ClientKeyOptions, ClientKeys } from './client-keys.ts'
import { type AssertionRules, createKeyAuthentication } from './key-authentication.ts'
import {
  type AttemptedEndpoint,
  createSecretAuthentication,
  type SecretMethod,
} from './secret-authentication.ts'

/** The ways of a client to prove itself (DESIGN-2 section 4.1). */
export type ClientAuthenticationMethod =
  | SecretMethod
  | 'private_key_jwt'
  | 'tls_client_auth'
  | 'self_signed_tls_client_auth'
  | 'assertion'
  | 'none'

/** What the settings say about it; the configuration fits. */
export interface ClientAuthenticationOptions extends ClientKeyOptions, ClientCertificateOptions {
  readonly clientId: string
  readonly clientSecret: string | undefined
  readonly clientAuthentication: ClientAuthenticationMethod | 'auto'
  readonly clientAssertionFile?: string | undefined
}

/** How the gateway proves itself to the provider. */
export interface ClientAuthentication {
  /** Puts the client's proof into a request of the OpenID library. */
  readonly apply: ClientAuth
  /** A `fetch` that finds out which way the provider takes a secret, when the settings leave it open. */
  attempting(fetch: CustomFetch, endpoint: AttemptedEndpoint): CustomFetch
  /** The way that is gone at a provider with these metadata; `auto` where only attempts with the secret can tell. */
  methodFor(server: ServerMetadata): ClientAuthenticationMethod | 'auto'
}

/** Without a secret there is nothing to show and nothing to attempt. */
function secretAuthentication(
  { clientId, clientSecret, clientAuthentication: method }: ClientAuthenticationOptions,
  log: Logger,
): Pick<ClientAuthentication, 'apply' | 'attempting'> {
  if (clientSecret === undefined) return { apply: None(), attempting: (fetch) => fetch }
  const isFixed = method === 'client_secret_basic' || method === 'client_secret_post'
  return createSecretAuthentication({ clientId, clientSecret, method: isFixed ? method : 'auto' }, log)
}

const tlsMethods = ['tls_client_auth', 'self_signed_tls_client_auth'] as const

/**
 * Creates the client's authentication.
 *
 * @param rules what its assertions have to be like
 */
export function createClientAuthentication(
  options: ClientAuthenticationOptions,
  keys: ClientKeys,
  log: Logger,
  rules: AssertionRules,
): ClientAuthentication {
  const { clientAssertionFile } = options
  const secret = secretAuthentication(options, log)
  const appliers: Readonly<Record<ClientAuthenticationMethod | 'auto', ClientAuth>> = {
    auto: secret.apply,
    client_secret_basic: secret.apply,
    client_secret_post: secret.apply,
    private_key_jwt: createKeyAuthentication(keys, rules),
    tls_client_auth: TlsClientAuth(),
    self_signed_tls_client_auth: TlsClientAuth(),
    assertion:
      clientAssertionFile === undefined ? None() : createAssertionAuthentication(clientAssertionFile, log),
    none: None(),
  }
  const methodFor = (server: ServerMetadata) => methodAt(options, server)
  return {
    methodFor,
    apply: (server, client, body, headers) => appliers[methodFor(server)](server, client, body, headers),
    attempting: secret.attempting,
  }
}

type AnnouncedMethods = Pick<ServerMetadata, 'token_endpoint_auth_methods_supported'>

/** The way that is gone at a provider which announces this; `auto` where only attempts with the secret can tell. */
export function methodAt(
  options: ClientAuthenticationOptions,
  server: AnnouncedMethods,
): ClientAuthenticationMethod | 'auto' {
  const { clientAuthentication: configured } = options
  return configured === 'auto' ? automatic(options, server) : configured
}

/** By what is configured: the certificate where the provider announces it, then the key, the platform's assertion, the secret. */
function automatic(
  { clientKey, clientAssertionFile, clientCertificate, clientSecret }: ClientAuthenticationOptions,
  { token_endpoint_auth_methods_supported: announced = [] }: AnnouncedMethods,
): ClientAuthenticationMethod | 'auto' {
  const byCertificate = tlsMethods.find((method) => announced.includes(method))
  if (clientCertificate !== undefined && byCertificate !== undefined) return byCertificate
  if (clientKey !== undefined) return 'private_key_jwt'
  if (clientAssertionFile !== undefined) return 'assertion'
  return clientSecret === undefined && clientCertificate !== undefined ? 'tls_client_auth' : 'auto'
}
