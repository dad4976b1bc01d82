import {
  allowInsecureRequests,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  customFetch,
  discovery,
} from 'openid-client'
import { GatewayError } from '../errors/gateway-error.ts'
import { createBoundedFetch } from './bounded-fetch.ts'
import type { ProviderDependencies, ProviderOptions } from './options.ts'
import { describeTransportError } from './provider-error.ts'

/** The provider's metadata and our client at it; discovered in the background, so that a provider that is down stops nothing. */
export interface OidcClient {
  /**
   * The discovered configuration; waits for the attempt under way.
   * @throws GatewayError `provider_unavailable`
   */
  configuration(): Promise<Configuration>
  /** The discovered configuration, if there is one; makes no request. */
  current(): Configuration | undefined
  status(): { readonly ready: boolean; readonly reason: string | undefined }
  readonly fetch: ReturnType<typeof createBoundedFetch>
  close(): void
}

const firstRetryMs = 1_000
const longestRetryMs = 30_000
/** Metadata changes rarely; a copy an hour old is still good. */
const rediscoverMs = 3_600_000

/** Starts discovery (OpenID Connect Discovery 1.0 section 4) and keeps it fresh. */
export function createOidcClient(options: ProviderOptions, dependencies: ProviderDependencies): OidcClient {
  const { log, metrics } = dependencies.telemetry
  const boundedFetch = createBoundedFetch(metrics, options.providerTimeout * 1_000)
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
    const problem = error instanceof IssuerError ? error.message : describeTransportError(error)
    if (problem !== reason) log.warn({ reason: problem }, 'the identity provider cannot be discovered')
    if (current === undefined) reason = problem
    const waitMs = Math.min(longestRetryMs, firstRetryMs * 2 ** failures)
    failures = Math.min(failures + 1, 10)
    schedule(waitMs * (0.75 + Math.random() / 2))
  }

  async function discover(): Promise<void> {
    try {
      current = await discoverOnce(options, boundedFetch)
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

  void tryOnce()
  return {
    async configuration() {
      if (current === undefined) await tryOnce()
      if (current === undefined) throw new GatewayError('provider_unavailable', { context: { reason } })
      return current
    },
    current: () => current,
    status: () => ({ ready: current !== undefined, reason }),
    fetch: boundedFetch,
    close() {
      isClosed = true
      clearTimeout(timer)
    },
  }
}

/** The metadata is of another issuer than the configured one. Its message is safe to show to the operator. */
class IssuerError extends Error {
  override readonly name = 'IssuerError'
}

async function discoverOnce(
  options: ProviderOptions,
  boundedFetch: OidcClient['fetch'],
): Promise<Configuration> {
  const issuer = new URL(options.issuerUrl)
  const authentication =
    options.clientAuthentication === 'client_secret_basic' ? ClientSecretBasic : ClientSecretPost
  const configuration = await discovery(
    issuer,
    options.clientId,
    { client_secret: options.clientSecret },
    authentication(options.clientSecret),
    {
      timeout: options.providerTimeout,
      [customFetch]: boundedFetch,
      // The settings allow http for loopback only.
      ...(issuer.protocol === 'http:' ? { execute: [allowInsecureRequests] } : {}),
    },
  )
  expectSameIssuer(configuration.serverMetadata().issuer, options.issuerUrl)
  return configuration
}

/** Discovery section 4.3 and RFC 9207 compare issuers as plain strings, so a slash too many fails every login later. */
function expectSameIssuer(found: string, configured: string): void {
  if (found === configured) return
  const hint =
    found.replace(/\/$/, '') === configured.replace(/\/$/, '') ? '; only the trailing slash differs' : ''
  throw new IssuerError(`ISSUER_URL must be exactly what the provider calls itself: ${found}${hint}`)
}
