import type { ProviderContext } from '../provider/context.ts'
import { grantForApi } from './api-grant.ts'
import { apiParameters } from './exchange.ts'
import type { ApiGrantOutcome } from './grants.ts'
import type { ApiAudience } from './token-set.ts'

/** A token of the gateway itself for an API (RFC 6749 section 4.4). */
export function clientToken(context: ProviderContext, api: ApiAudience): Promise<ApiGrantOutcome> {
  return grantForApi(context, { grantType: 'client_credentials', parameters: apiParameters(api), api })
}
