import type { ErrorCode } from '../../errors/codes.ts'
import type { ApiGrantOutcome } from '../../oidc/tokens/grants.ts'

import { configurationPausesMs, outagePausesMs } from '../../session/refresh/failing/setbacks.ts'

/** A grant that brought no token, in the gateway's own words. */
export interface TokenFailure {
  readonly code: ErrorCode
  readonly pausesMs: readonly number[]
  readonly atLeastMs: number
}

type Failed = Exclude<ApiGrantOutcome, { readonly kind: 'granted' | 'interaction' }>

/**
 * What a failed grant means to the request that needed its token.
 *
 * @param refusal the code for what the provider refuses this caller
 */
export function tokenFailure(outcome: Failed, refusal: ErrorCode): TokenFailure {
  switch (outcome.kind) {
    case 'refused':
    case 'subject':
      return { code: refusal, pausesMs: configurationPausesMs, atLeastMs: 0 }
    case 'rejected':
      return { code: 'provider_rejected', pausesMs: configurationPausesMs, atLeastMs: 0 }
    case 'unusable':
      return { code: 'access_token_unusable', pausesMs: configurationPausesMs, atLeastMs: 0 }
    case 'unavailable':
      return {
        code: 'provider_unavailable',
        pausesMs: outagePausesMs,
        atLeastMs: (outcome.retryAfterSeconds ?? 0) * 1_000,
      }
  }
}
