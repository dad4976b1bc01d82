import type { RefusalFacts } from '../provider/failures/refusal.ts'
import type { AccessToken, ApiAudience, TokenBinding } from './token-set.ts'

/** Result of a grant that gets a token for an API without touching the session's own tokens. Nothing is thrown for what a provider may answer. */
export type ApiGrantOutcome = Outcome & {
  /** What the log says of a failure: the provider's own words, mostly. */
  readonly facts?: RefusalFacts
}

type Outcome =
  | { readonly kind: 'granted'; readonly token: AccessToken }
  /** Not for this user. */
  | { readonly kind: 'refused'; readonly error: string }
  /** The provider wants the user at its own pages first; `claims` asks a login for what is missing. */
  | { readonly kind: 'interaction'; readonly error: string; readonly claims: string | undefined }
  /** The token that was handed in may be over; another one may do. */
  | { readonly kind: 'subject'; readonly error: string }
  /** Our client or configuration was refused. */
  | { readonly kind: 'rejected'; readonly error: string }
  /** Network, timeout, 429, 5xx. */
  | { readonly kind: 'unavailable'; readonly error: string; readonly retryAfterSeconds: number | undefined }
  /** The answer failed a check. */
  | { readonly kind: 'unusable'; readonly error: string }

/** Input of an exchange. */
export interface ExchangeRequest {
  /** The access token of whoever calls. */
  readonly subjectToken: string
  /** What the caller's tokens are bound to; absent: nothing of ours. */
  readonly binding?: TokenBinding | undefined
  /** The API that the new token is for. */
  readonly api: ApiAudience
  readonly exchange: {
    readonly profile: 'rfc8693' | 'on-behalf-of'
    readonly requestedTokenType: string | undefined
  }
}
