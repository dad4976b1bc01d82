import type { Configuration, CustomFetch, ServerMetadata } from 'openid-client'
import {
  type BoundedFetch,
  createProviderNetwork,
  type ProviderEndpoint,
} from '../../network/provider-network.ts'
import { createClientAuthentication } from '../client-authentication/client-authentication.ts'
import {
  type ClientCertificates,
  createClientCertificates,
} from '../client-authentication/client-certificate.ts'
import { type ClientKeys, createClientKeys } from '../client-authentication/client-keys.ts'
import { profileAlgorithms } from './algorithms.ts'
import { assertionAudience } from './assertion-audience.ts'
import { configurationOf, discoverOnce } from './discovery.ts'
import { createMetadataWatch } from './metadata-watch.ts'
import { followingMoves } from './moved-endpoints.ts'
import type { ProviderDependencies, ProviderOptions } from './options.ts'
import { type Possession, type ProvingDependencies, proving } from './proving.ts'

/** How one endpoint is called. */
export interface EndpointCall {
  /** The key that each request proves to have; absent: none. */
  readonly possession?: Possession | undefined
  /** Instead of `PROVIDER_TIMEOUT`. */
  readonly deadlineMs?: number
}

/** The provider's metadata and our client at it; discovered in the background, so that a provider that is down stops nothing. */
export interface OidcClient {
  /**
   * The discovered configuration; waits for the attempt under way.
   * @throws GatewayError `provider_unavailable`
   */
  configuration(): Promise<Configuration>
  /**
   * A configuration like the discovered one, for the OpenID library's calls to one endpoint.
   *
   * @param wrap what happens to each exchange on its way
   * @param change what the metadata are to be for this call
   * @throws GatewayError `provider_unavailable`
   */
  endpointConfiguration(
    endpoint: ProviderEndpoint,
    call?: EndpointCall & {
      readonly wrap?: (fetch: CustomFetch) => CustomFetch
      readonly change?: (metadata: ServerMetadata) => ServerMetadata
    },
  ): Promise<Configuration>
  /** The discovered configuration, if there is one; makes no request. */
  current(): Configuration | undefined
  status(): { readonly ready: boolean; readonly reason: string | undefined }
  /** Calls one endpoint; when it seems to have moved, the provider is discovered anew and the call follows. */
  fetch(endpoint: ProviderEndpoint, call?: EndpointCall): BoundedFetch
  /** The client's own keys. */
  readonly clientKeys: ClientKeys
  /** The client's own certificates; `undefined` without one. */
  readonly certificates: ClientCertificates | undefined
  close(): void
}

/** Starts discovery (OpenID Connect Discovery 1.0 section 4) and keeps it fresh. */
export function createOidcClient(
  options: ProviderOptions,
  dependencies: ProviderDependencies & ProvingDependencies,
): OidcClient {
  const { telemetry } = dependencies
  const { log } = telemetry
  const clientKeys = createClientKeys(options, log)
  const authentication = createClientAuthentication(options, clientKeys, log, {
    allowed: profileAlgorithms(options),
    audienceAt: assertionAudience,
  })
  const certificates = dependencies.certificates ?? createClientCertificates(options, log)
  const network = createProviderNetwork({ ...options, shownCertificate: certificates?.current }, telemetry)
  const discoveryFetch = network.fetch('discovery')
  const watch = createMetadataWatch(
    () => discoverOnce(options, authentication.apply, discoveryFetch),
    options,
    dependencies,
  )
  const known = {
    metadata: () => watch.current()?.serverMetadata(),
    options,
    lookAgain: watch.lookAgain,
  }
  const fetch = (endpoint: ProviderEndpoint, { possession, deadlineMs }: EndpointCall = {}): BoundedFetch => {
    const plain = network.fetch(endpoint, deadlineMs)
    // Beneath what repeats requests: each has a proof of its own, for the address where it goes.
    const sending = possession === undefined ? plain : proving(plain, possession, dependencies)
    const following = followingMoves(sending, endpoint, known)
    // Only these tell how the client must prove itself: others are lenient, or say nothing.
    return endpoint === 'token' || endpoint === 'pushed_authorization'
      ? authentication.attempting(following, endpoint)
      : following
  }
  return {
    configuration: watch.configuration,
    async endpointConfiguration(endpoint, { wrap = unchanged, change = unchanged, ...call } = {}) {
      const found = change((await watch.configuration()).serverMetadata())
      return configurationOf(found, options, authentication.apply, wrap(fetch(endpoint, call)))
    },
    current: watch.current,
    status: watch.status,
    fetch,
    clientKeys,
    certificates,
    close() {
      watch.close()
      network.close()
    },
  }
}

function unchanged<Value>(value: Value): Value {
  return value
}
