import { genericGrantRequest } from 'openid-client'
import type { ProviderContext } from '../provider/context.ts'
import { errorDetails } from '../provider/failures/error-details.ts'
import { classifyFailure } from '../provider/failures/provider-error.ts'
import { withNonce } from '../provider/proving.ts'
import { expectedBy, possessionOf } from './binding.ts'
import { beginTokenExchange } from './code-grant.ts'
import type { ApiGrantOutcome } from './grants.ts'
import { readApiToken, type UntrustedTokenResponse } from './token-response.ts'
import type { ApiAudience, TokenBinding } from './token-set.ts'

/** One request to the token endpoint. */
export interface ApiGrant {
  readonly grantType: string
  readonly parameters: Readonly<Record<string, string>>
  readonly api: ApiAudience
  /** What the new token must be bound to, as the subject's own is; absent: nothing. */
  readonly binding?: TokenBinding | undefined
  /** A check of the answer besides those of every token response; returns what is wrong. */
  readonly check?: (response: UntrustedTokenResponse) => string | undefined
}

const interactions = new Set([
  'interaction_required',
  'login_required',
  'consent_required',
  'mfa_required',
  'account_selection_required',
])
const refusals = new Set(['access_denied', 'invalid_target', 'invalid_scope'])
const subjectErrors = new Set(['invalid_request', 'invalid_grant', 'invalid_token', 'expired_token'])

/** Asks for the token, and says what the answer means. */
export async function grantForApi(context: ProviderContext, grant: ApiGrant): Promise<ApiGrantOutcome> {
  try {
    const call = { possession: possessionOf(grant.binding) }
    const exchange = await beginTokenExchange(context.client, call)
    await withNonce(() =>
      genericGrantRequest(exchange.configuration, grant.grantType, {
        ...context.options.tokenParameters,
        ...grant.parameters,
      }),
    )
    const response = exchange.answer()
    const problem = grant.check?.(response)
    if (problem !== undefined) return { kind: 'unusable', error: problem }
    const { accessToken, fault } = readApiToken(
      context,
      response,
      grant.api,
      expectedBy(context, grant.binding),
    )
    return isUsable(fault?.kind)
      ? { kind: 'granted', token: accessToken }
      : { kind: 'unusable', error: fault?.kind ?? 'unknown' }
  } catch (error) {
    return failureOf(error)
  }
}

/** Where a token can be read its audience must fit; one that cannot be read is the API's to judge. */
function isUsable(fault: string | undefined): boolean {
  return fault !== 'wrong_audience' && fault !== 'no_audience' && fault !== 'wrong_client'
}

function failureOf(thrown: unknown): ApiGrantOutcome {
  const failure = classifyFailure(thrown)
  if (failure.kind === 'unavailable') return failure
  const { error, facts } = failure
  if (failure.kind === 'invalid') return { kind: 'unusable', error, facts }
  const { status, suberror = '', claims } = errorDetails(thrown)
  if (interactions.has(error) || interactions.has(suberror))
    return { kind: 'interaction', error, claims, facts }
  // Auth0 says access_denied with 401 for a wrong client secret.
  if (refusals.has(error) && status !== 401) return { kind: 'refused', error, facts }
  return { kind: subjectErrors.has(error) ? 'subject' : 'rejected', error, facts }
}
