import {
  buildAuthorizationUrl,
  buildAuthorizationUrlWithJAR,
  buildAuthorizationUrlWithPAR,
  type Configuration,
  modifyAssertion,
} from 'openid-client'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { DpopKey } from '../../signing/dpop-key.ts'
import { librarySigner } from '../client-authentication/signing-key.ts'
import { profileAlgorithms } from '../provider/algorithms.ts'
import type { ProviderContext } from '../provider/context.ts'
import { endpointOf } from '../provider/endpoints.ts'
import { classifyFailure, unwrapped } from '../provider/failures/provider-error.ts'
import type { ProviderOptions } from '../provider/options.ts'
import { withNonce } from '../provider/proving.ts'
import { readableRefusal } from '../tokens/code-grant.ts'

/** The login whose request is built. */
interface PushingLogin {
  /** Names it. */
  readonly caller: string
  /** The key that its code is bound to. */
  readonly key: DpopKey | undefined
}

/** Whether a login is pushed to the provider first, by the settings and the provider's metadata. */
export function pushesLogins(
  { pushedAuthorizationRequests: configured = 'auto' }: ProviderOptions,
  configuration: Configuration | undefined,
): boolean {
  if (configured !== 'auto') return configured === 'on'
  return configuration?.serverMetadata().require_pushed_authorization_requests === true
}

/**
 * The address that the browser is sent to: the request itself, a signed one (RFC 9101), or the reference of a pushed one (RFC 9126).
 *
 * @throws GatewayError `provider_unavailable`, `provider_rejected`
 */
export async function authorizationUrl(
  context: ProviderContext,
  configuration: Configuration,
  parameters: URLSearchParams,
  login: PushingLogin,
): Promise<URL> {
  const url =
    context.options.requestObject === 'signed'
      ? await signedRequest(context, configuration, parameters)
      : buildAuthorizationUrl(configuration, parameters)
  if (pushesLogins(context.options, configuration)) return push(context, url.searchParams, login)
  return context.options.requestObject === 'signed' ? withOuterParameters(url, parameters) : url
}

async function signedRequest(
  { client, options }: ProviderContext,
  configuration: Configuration,
  parameters: URLSearchParams,
): Promise<URL> {
  const key = client.clientKeys.signing()
  if (key === undefined) throw rejected('no CLIENT_KEY')
  const announced = configuration.serverMetadata().request_object_signing_alg_values_supported
  const signer = librarySigner(key, announced, profileAlgorithms(options))
  return buildAuthorizationUrlWithJAR(configuration, parameters, signer.key, {
    [modifyAssertion]: signer.modify,
  })
}

/** A provider reads these before it opens the request (OpenID Connect Core section 6.1). */
function withOuterParameters(url: URL, parameters: URLSearchParams): URL {
  for (const name of ['response_type', 'scope']) url.searchParams.set(name, parameters.get(name) ?? '')
  return url
}

/** Hands the request to the provider; the reference lives for seconds, so this is done for each login anew. */
async function push(
  { client, options, pushBreaker }: ProviderContext,
  parameters: URLSearchParams,
  { caller, key }: PushingLogin,
): Promise<URL> {
  const possession = key === undefined ? undefined : { key }
  const configuration = await client.endpointConfiguration('pushed_authorization', {
    possession,
    wrap: (fetch) => async (url, init) => readableRefusal(await fetch(url, init)),
  })
  const metadata = configuration.serverMetadata()
  if (endpointOf(metadata, 'pushed_authorization_request_endpoint', options.issuerUrl) === undefined)
    throw rejected('the provider takes no pushed authorization requests')
  if (!pushBreaker.allows())
    throw new GatewayError('provider_unavailable', { context: { reason: 'pushes fail' } })
  try {
    const url = await withNonce(() => buildAuthorizationUrlWithPAR(configuration, parameters))
    pushBreaker.record(caller, false)
    return url
  } catch (error) {
    const failure = classifyFailure(error)
    pushBreaker.record(caller, failure.kind === 'unavailable' && failure.cause === 'transport')
    throw pushFailure(error)
  }
}

/** What is wrong with a push is never the user's fault: the provider is not there, or refuses us. */
function pushFailure(thrown: unknown): GatewayError {
  const error = unwrapped(thrown)
  if (error instanceof GatewayError) return error
  const failure = classifyFailure(error)
  const context = { reason: failure.error, endpoint: 'pushed_authorization', ...failure.facts }
  const isRejection = failure.kind === 'rejected' || failure.kind === 'refused'
  return new GatewayError(isRejection ? 'provider_rejected' : 'provider_unavailable', { context })
}

function rejected(reason: string): GatewayError {
  return new GatewayError('provider_rejected', { context: { reason } })
}
