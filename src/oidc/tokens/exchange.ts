import { audienceParameters } from '../login/login.ts'
import type { ProviderContext } from '../provider/context.ts'
import { grantForApi } from './api-grant.ts'
import type { ApiGrantOutcome, ExchangeRequest } from './grants.ts'
import type { UntrustedTokenResponse } from './token-response.ts'
import type { ApiAudience } from './token-set.ts'

const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'
const jwtType = 'urn:ietf:params:oauth:token-type:jwt'

/** Exchanges an access token for one for another API: RFC 8693, or Entra's on-behalf-of (RFC 7523 with a parameter of its own). */
export function exchangeToken(context: ProviderContext, request: ExchangeRequest): Promise<ApiGrantOutcome> {
  return request.exchange.profile === 'rfc8693'
    ? byTokenExchange(context, request)
    : onBehalfOf(context, request)
}

function byTokenExchange(
  context: ProviderContext,
  { subjectToken, api, binding, exchange: { requestedTokenType } }: ExchangeRequest,
): Promise<ApiGrantOutcome> {
  return grantForApi(context, {
    grantType: 'urn:ietf:params:oauth:grant-type:token-exchange',
    parameters: {
      subject_token: subjectToken,
      subject_token_type: accessTokenType,
      ...(requestedTokenType === undefined ? {} : { requested_token_type: requestedTokenType }),
      ...apiParameters(api),
    },
    api,
    binding,
    check: (response) => wrongTokenType(response, requestedTokenType),
  })
}

function onBehalfOf(
  context: ProviderContext,
  { subjectToken, api, binding }: ExchangeRequest,
): Promise<ApiGrantOutcome> {
  return grantForApi(context, {
    grantType: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    parameters: { assertion: subjectToken, requested_token_use: 'on_behalf_of', ...apiParameters(api) },
    api,
    binding,
  })
}

/** How the API is named: as everywhere else, and with a scope of its own where the route says so. */
export function apiParameters(api: ApiAudience): Readonly<Record<string, string>> {
  return { ...audienceParameters(api), ...(api.scope === undefined ? {} : { scope: api.scope }) }
}

/** RFC 8693 section 2.2.1 demands the member; a token of another kind than was asked for is not what an API expects. */
function wrongTokenType(
  { issued_token_type: issued }: UntrustedTokenResponse,
  requested: string | undefined,
): string | undefined {
  const accepted = requested === undefined ? [accessTokenType, jwtType] : [requested]
  return typeof issued === 'string' && accepted.includes(issued) ? undefined : 'issued_token_type'
}
