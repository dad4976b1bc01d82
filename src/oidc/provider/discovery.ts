import {
  allowInsecureRequests,
  type ClientAuth,
  type ClientMetadata,
  Configuration,
  type CustomFetch,
  customFetch,
  discovery,
  type ServerMetadata,
} from 'openid-client'
import { isPlainObject } from '../../basics/plain-object.ts'
import { failureCode } from '../../network/failure-code.ts'
import { publicAddress } from '../../network/provider-address.ts'
import { allowedAlgorithms } from './algorithms.ts'
import { readableMetadata } from './announced.ts'
import { endpointOf } from './endpoints.ts'
import { announcedIssuer } from './failures/provider-error.ts'
import type { ProviderOptions } from './options.ts'

/** The metadata cannot be used. Its message is safe to show to the operator. */
export class MetadataError extends Error {
  override readonly name = 'MetadataError'
}

/**
 * Asks for the provider's metadata (OpenID Connect Discovery 1.0 section 4), and looks at them before they are believed.
 *
 * @throws MetadataError, whatever the OpenID library throws
 */
export async function discoverOnce(
  options: ProviderOptions,
  apply: ClientAuth,
  fetch: CustomFetch,
): Promise<Configuration> {
  const found = await discovery(
    new URL(options.issuerUrl),
    options.clientId,
    clientMetadata(options),
    apply,
    {
      timeout: options.providerTimeout,
      [customFetch]: fetch,
      ...(isInsecure(options) ? { execute: [allowInsecureRequests] } : {}),
    },
  ).catch((error: unknown) => {
    const announced = failureCode(error) === 'ERR_INVALID_URL' ? 'no URL at all' : announcedIssuer(error)
    throw announced === undefined ? error : issuerError(announced, options.issuerUrl)
  })
  const announced = withPublicAddresses(readableMetadata(found.serverMetadata()), options)
  const algorithms = allowedAlgorithms(options.idTokenAlgorithm, announced)
  // The OpenID library compares with the same list.
  const metadata = { ...announced, id_token_signing_alg_values_supported: [...algorithms] }
  if (metadata.issuer !== options.issuerUrl) throw issuerError(metadata.issuer, options.issuerUrl)
  expectSafeEndpoints(metadata, options)
  return configurationOf(metadata, options, apply, fetch)
}

/** A configuration of the OpenID library that sends its requests through `fetch`. */
export function configurationOf(
  metadata: ServerMetadata,
  options: ProviderOptions,
  apply: ClientAuth,
  fetch: CustomFetch,
): Configuration {
  const { clientId, providerTimeout } = options
  const configuration = new Configuration(metadata, clientId, clientMetadata(options), apply)
  configuration.timeout = providerTimeout
  configuration[customFetch] = fetch
  if (isInsecure(options)) allowInsecureRequests(configuration)
  return configuration
}

/** With a certificate the addresses are used that the provider keeps for those who show one (RFC 8705 section 5). */
function clientMetadata({ clientSecret, clientCertificate }: ProviderOptions): Partial<ClientMetadata> {
  return {
    ...(clientSecret !== undefined && { client_secret: clientSecret }),
    use_mtls_endpoint_aliases: clientCertificate !== undefined,
  }
}

/** The settings allow http for loopback only. */
function isInsecure({ issuerUrl }: ProviderOptions): boolean {
  return new URL(issuerUrl).protocol === 'http:'
}

/**
 * What a provider announces at `PROVIDER_ADDRESS`, because it was asked there, becomes its public address: browsers go there, a proof names
 * it, and our own calls are led back.
 */
function withPublicAddresses(metadata: ServerMetadata, options: ProviderOptions): ServerMetadata {
  if (options.providerAddress === undefined) return metadata
  const { mtls_endpoint_aliases: aliases } = metadata
  return {
    ...metadata,
    ...publicPlaces(metadata, options),
    ...(isPlainObject(aliases)
      ? { mtls_endpoint_aliases: { ...aliases, ...publicPlaces(aliases, options) } }
      : {}),
  }
}

/** The members that name an address, with the public one. */
function publicPlaces(members: object, options: ProviderOptions): Readonly<Record<string, string>> {
  const places = Object.entries(members).flatMap(([name, value]: [string, unknown]) => {
    const url = /_(?:endpoint|uri)$/.test(name) && typeof value === 'string' ? URL.parse(value) : null
    return url === null ? [] : [[name, publicAddress(url, options).href] as const]
  })
  return Object.fromEntries(places)
}

/** Discovery section 4.3 and RFC 9207 compare issuers as plain strings, so a slash too many fails every login later. */
function issuerError(found: string, configured: string): MetadataError {
  if (/[{}]|%7[BD]/i.test(found)) {
    return new MetadataError(
      'ISSUER_URL names a document for many tenants, and none of them: write the id of your own tenant in place of "common", "organizations" or the like',
    )
  }
  const hint =
    found.replace(/\/$/, '') === configured.replace(/\/$/, '') ? '; only the trailing slash differs' : ''
  return new MetadataError(`ISSUER_URL must be exactly what the provider calls itself: ${found}${hint}`)
}

function expectSafeEndpoints(metadata: ServerMetadata, { issuerUrl }: ProviderOptions): void {
  for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const) {
    if (endpointOf(metadata, name, issuerUrl) === undefined)
      throw new MetadataError(`the provider's metadata has no ${name} with https`)
  }
}
