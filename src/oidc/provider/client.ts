import {
  allowInsecureRequests,
  Configuration,
  type CustomFetch,
  customFetch,
  discovery,
  type ServerMetadata,
} from 'openid-client'
import { GatewayError } from '../../errors/gateway-error.ts'
import { createBoundedFetch } from '../../network/bounded-fetch.ts'
import {
  type ClientAuthentication,
  createClientAuthentication,
} from '../client-authentication/client-authentication.ts'
import { endpointOf } from './endpoints.ts'
import type { ProviderDependencies, ProviderOptions } from './options.ts'
import { announcedIssuer, describeTransportError } from './provider-error.ts'

/** The provider's metadata and our client at it; discovered in the background, so that a provider that is down stops nothing. */
export interface OidcClient {
  /**
   * The discovered configuration; waits for the attempt under way.
   * @throws GatewayError `provider_unavailable`
   */
  configuration(): Promise<Configuration>
  /**
   * A configuration like the discovered one that sends its requests through `fetch`.
   * @throws GatewayError `provider_unavailable`
   */
  exchangeConfiguration(fetch: CustomFetch): Promise<Configuration>
  /** The discovered configuration, if there is one; makes no request. */
  current(): Configuration | undefined
  status(): { readonly ready: boolean; readonly reason: string | undefined }
  readonly fetch: ReturnType<typeof createBoundedFetch>
  close(): void
}

const firstRetryMs = 1_000
const longestRetryMs = 10_000
/** Metadata changes rarely; a copy an hour old is still good. */
const rediscoverMs = 3_600_000

/** Starts discovery (OpenID Connect Discovery 1.0 section 4) and keeps it fresh. */
export function createOidcClient(options: ProviderOptions, dependencies: ProviderDependencies): OidcClient {
  const { telemetry } = dependencies
  const { log } = telemetry
  const authentication = createClientAuthentication(options, log)
  const boundedFetch = authentication.attempting(
    createBoundedFetch(telemetry, options.providerTimeout * 1_000),
  )
  let current: Configuration | undefined
  let reason: string | undefined = 'discovery has not finished yet'
  let attempt: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let failures = 0
  let isClosed = false

  function schedule(delayMs: number): void {
    if (isClosed) return
    clearTimeout(timer)
    timer = setTimeout(() => void tryOnce(), delayMs).unref()
  }

  function onFailure(error: unknown): void {
    const problem = error instanceof MetadataError ? error.message : describeTransportError(error)
    if (problem !== reason) log.warn({ reason: problem }, 'the identity provider cannot be discovered')
    if (current === undefined) reason = problem
    const waitMs = Math.min(longestRetryMs, firstRetryMs * 2 ** failures)
    failures = Math.min(failures + 1, 10)
    schedule(waitMs * (0.75 + Math.random() / 2))
  }

  async function discover(): Promise<void> {
    try {
      current = await discoverOnce(options, authentication, boundedFetch)
      if (reason !== undefined) log.info({ issuer: options.issuerUrl }, 'the identity provider is discovered')
      reason = undefined
      failures = 0
      schedule(rediscoverMs)
    } catch (error) {
      onFailure(error)
    }
  }

  /** One attempt at a time, whoever asks. */
  function tryOnce(): Promise<void> {
    attempt ??= discover().finally(() => {
      attempt = undefined
    })
    return attempt
  }

  async function configuration(): Promise<Configuration> {
    if (current === undefined) await tryOnce()
    if (current === undefined) throw new GatewayError('provider_unavailable', { context: { reason } })
    return current
  }

  void tryOnce()
  return {
    configuration,
    exchangeConfiguration: async (fetch) => withFetch(await configuration(), options, authentication, fetch),
    current: () => current,
    status: () => ({ ready: current !== undefined, reason }),
    fetch: boundedFetch,
    close() {
      isClosed = true
      clearTimeout(timer)
    },
  }
}

/** The metadata cannot be used. Its message is safe to show to the operator. */
class MetadataError extends Error {
  override readonly name = 'MetadataError'
}

function withFetch(
  discovered: Configuration,
  options: ProviderOptions,
  { apply }: ClientAuthentication,
  fetch: CustomFetch,
): Configuration {
  const { clientId, clientSecret, providerTimeout } = options
  const metadata = { client_secret: clientSecret }
  const copy = new Configuration(discovered.serverMetadata(), clientId, metadata, apply)
  copy.timeout = providerTimeout
  copy[customFetch] = fetch
  if (isInsecure(options)) allowInsecureRequests(copy)
  return copy
}

/** The settings allow http for loopback only. */
function isInsecure({ issuerUrl }: ProviderOptions): boolean {
  return new URL(issuerUrl).protocol === 'http:'
}

async function discoverOnce(
  options: ProviderOptions,
  { apply }: ClientAuthentication,
  boundedFetch: CustomFetch,
): Promise<Configuration> {
  const configuration = await discovery(
    new URL(options.issuerUrl),
    options.clientId,
    { client_secret: options.clientSecret },
    apply,
    {
      timeout: options.providerTimeout,
      [customFetch]: boundedFetch,
      ...(isInsecure(options) ? { execute: [allowInsecureRequests] } : {}),
    },
  ).catch((error: unknown) => {
    const found = announcedIssuer(error)
    throw found === undefined ? error : issuerError(found, options.issuerUrl)
  })
  const metadata = configuration.serverMetadata()
  if (metadata.issuer !== options.issuerUrl) throw issuerError(metadata.issuer, options.issuerUrl)
  expectSafeEndpoints(metadata, options)
  return configuration
}

/** Discovery section 4.3 and RFC 9207 compare issuers as plain strings, so a slash too many fails every login later. */
function issuerError(found: string, configured: string): MetadataError {
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
