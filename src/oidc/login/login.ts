import { calculatePKCECodeChallenge, randomNonce, randomPKCECodeVerifier, randomState } from 'openid-client'
import { createDpopKey, type DpopKey } from '../../signing/dpop-key.ts'
import type { ProviderContext } from '../provider/context.ts'
import type { ProviderOptions } from '../provider/options.ts'
import type { LoginRequest, LoginTransaction } from '../provider/provider.ts'
import type { ApiAudience } from '../tokens/token-set.ts'
import { claimsParameter, demandKey } from './demand.ts'
import { type Demands, demandParameters, demandsOf } from './demands.ts'
import { authorizationUrl } from './request.ts'

/** The one redirect URI: from the settings alone, so that no header of a request can change it (RFC 9700 section 4.1). */
export function redirectUri(options: Pick<ProviderOptions, 'baseUrl' | 'authPrefix'>): string {
  return `${options.baseUrl.origin}${options.authPrefix}/callback`
}

/** How the API is named in requests: Auth0's `audience`, RFC 8707's `resource`, both or neither. */
export function audienceParameters(audience: ApiAudience): Readonly<Record<string, string>> {
  const { value, parameter } = audience
  if (value === undefined || parameter === 'none') return {}
  if (parameter === 'both') return { audience: value, resource: value }
  return { [parameter]: value }
}

/**
 * Builds an authorization request (OpenID Connect Core section 3.1.2.1) with PKCE S256 (RFC 7636), state and nonce; signed and pushed where
 * that is asked for.
 *
 * @throws GatewayError `provider_unavailable`, `provider_rejected`
 */
export async function beginLogin(
  context: ProviderContext,
  request: LoginRequest,
): Promise<{ readonly url: URL; readonly transaction: LoginTransaction }> {
  const { options, client, now } = context
  const configuration = await client.configuration()
  const demands = demandsOf(request.parameters, options, request.stepUp)
  const key = options.tokenBinding === 'dpop' ? createDpopKey() : undefined
  const transaction = newTransaction(request, options, demands, now(), key)
  const parameters = new URLSearchParams({
    ...request.parameters,
    // What the operator has fixed wins over what a link asks for.
    ...options.authorizationParameters,
    ...demandParameters(demands),
    ...claimsParameter(options.claims, request.stepUp),
    ...audienceParameters(options.audience),
    response_type: 'code',
    scope: options.scope,
    redirect_uri: redirectUri(options),
    state: transaction.state,
    nonce: transaction.nonce,
    code_challenge: await calculatePKCECodeChallenge(transaction.codeVerifier),
    code_challenge_method: 'S256',
    ...responseMode(options),
    // The code is of use to the holder of this key alone (RFC 9449 section 10).
    ...(key === undefined ? {} : { dpop_jkt: key.thumbprint }),
  })
  for (const resource of furtherResources(options)) parameters.append('resource', resource)
  const login = { caller: transaction.state, key }
  const url = await authorizationUrl(context, configuration, parameters, login)
  return { url, transaction }
}

/** Nothing is said of what is usual: some providers know no such parameter. */
function responseMode({ responseMode: mode = 'query' }: ProviderOptions): Readonly<Record<string, string>> {
  return mode === 'query' ? {} : { response_mode: mode }
}

/**
 * The other APIs that are named by `resource`: a refresh gets tokens only for those that the authorization request has named (RFC 8707
 * section 2.2).
 */
function furtherResources({ audience, routes = [] }: ProviderOptions): readonly string[] {
  const named = [audience, ...routes.map((route) => route.audience)].map((each) =>
    each === undefined ? undefined : audienceParameters(each).resource,
  )
  return [...new Set(named.slice(1))].filter(
    (resource): resource is string => resource !== undefined && resource !== named[0],
  )
}

function newTransaction(
  request: LoginRequest,
  { authorizationParameters }: ProviderOptions,
  demands: Demands,
  nowMs: number,
  key: DpopKey | undefined,
): LoginTransaction {
  const prompt = authorizationParameters.prompt ?? request.parameters.prompt
  const { stepUp } = request
  return {
    state: randomState(),
    nonce: randomNonce(),
    codeVerifier: randomPKCECodeVerifier(),
    returnTo: request.returnTo,
    startedAtMs: nowMs,
    ...demands,
    ...(prompt === 'none' ? { isSilent: true } : {}),
    endsSession: request.endsSession,
    ...(key === undefined ? {} : { dpopSecret: key.secret }),
    ...(stepUp === undefined ? {} : { stepUp: { key: demandKey(stepUp), claims: stepUp.claims } }),
  }
}
