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
import { calledEndpoint } from '../provider/endpoints.ts'
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

/** Whether a login is pushed to the provider first, by the settings and the provider's metadata, where they are known. */
export function pushesLogins(
  { pushedAuthorizationRequests: configured = 'auto' }: Pick<ProviderOptions, 'pushedAuthorizationRequests'>,
  metadata: { readonly require_pushed_authorization_requests?: unknown } | undefined,
): boolean {
  if (configured !== 'auto') return configured === 'on'
  return metadata?.require_pushed_authorization_requests === true
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
  const isSigned = context.options.requestObject === 'signed'
  const isPushed = pushesLogins(context.options, configuration.serverMetadata())
  if (!isSigned && !isPushed) return buildAuthorizationUrl(configuration, parameters)
  const bare = await bareConfiguration(context, login.key)
  const request = isSigned ? (await signedRequest(context, bare, parameters)).searchParams : parameters
  const sent = isPushed
    ? (await push(context, bare, request, login)).searchParams
    : withOuterParameters(request, parameters)
  // The endpoint's own query belongs to its address alone (RFC 6749 section 3.1).
  return withParameters(configuration.serverMetadata().authorization_endpoint, sent)
}

/** One whose authorization endpoint has no query, which the OpenID library would put into what is signed and pushed. */
function bareConfiguration({ client }: ProviderContext, key: DpopKey | undefined): Promise<Configuration> {
  return client.endpointConfiguration('pushed_authorization', {
    possession: key === undefined ? undefined : { key },
    wrap: (fetch) => async (url, init) => readableRefusal(await fetch(url, init), init),
    change: (metadata) => ({
      ...metadata,
      authorization_endpoint: (metadata.authorization_endpoint ?? '').replace(/[?#].*$/s, ''),
    }),
  })
}

function withParameters(endpoint = '', parameters: URLSearchParams): URL {
  const url = new URL(endpoint)
  for (const [name, value] of parameters) url.searchParams.append(name, value)
  return url
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
function withOuterParameters(request: URLSearchParams, parameters: URLSearchParams): URLSearchParams {
  const whole = new URLSearchParams(request)
  for (const name of ['response_type', 'scope']) whole.set(name, parameters.get(name) ?? '')
  return whole
}

/** Hands the request to the provider; the reference lives for seconds, so this is done for each login anew. */
async function push(
  { options, pushBreaker }: ProviderContext,
  configuration: Configuration,
  parameters: URLSearchParams,
  { caller }: PushingLogin,
): Promise<URL> {
  const metadata = { ...configuration.serverMetadata() }
  if (calledEndpoint(metadata, 'pushed_authorization_request_endpoint', options) === undefined)
    throw rejected('the provider takes no pushed authorization requests')
  if (!pushBreaker.allows())
    throw new GatewayError('provider_unavailable', { context: { reason: 'pushes fail' } })
  try {
    const url = await withNonce(() => buildAuthorizationUrlWithPAR(configuration, parameters))
    pushBreaker.record(caller, false)
    return url
  } catch (error) {
    const failure = classifyFailure(error)
    // What we have found wrong with ourselves says nothing about the provider: it was not asked.
    if (!(unwrapped(error) instanceof GatewayError))
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
