import type { DpopKey } from '../../signing/dpop-key.ts'
import type { PublishedKey } from '../../signing/signing-keys.ts'
import type { ApiGrantOutcome, ExchangeRequest } from '../tokens/grants.ts'
import type { AccessToken, ApiAudience, Identity, TokenBinding } from '../tokens/token-set.ts'
import type { BearerFacts, BearerRule } from '../verification/bearer-facts.ts'

import type { Claims } from '../verification/claims.ts'
import type { RefusalFacts } from './failures/refusal.ts'

/** What `/login` remembers of an attempt until its callback; sealed into a cookie of its own. */
export interface LoginTransaction {
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
  /** Safe path of this application, already validated. */
  readonly returnTo: string
  readonly startedAtMs: number
  /** `max_age` that was sent, whole seconds; the callback checks `auth_time` against it. */
  readonly maxAgeSeconds: number | undefined
  /** `acr_values` that were sent; the callback checks `acr` when `acrRequired`. */
  readonly acrValues: string | undefined
  /** `prompt=none` was sent: that somebody must be asked is no failure then. */
  readonly isSilent?: boolean
  /** Hash (`h`) of the session that `/login` saw, which a completed login ends. */
  readonly endsSession: string | undefined
  /** The secret half of the key that the login's tokens are bound to ({@link DpopKey.secret}); absent: to none. */
  readonly dpopSecret?: string
  /** The demand that this login answers, by its key, and the `claims` that it asked for (DESIGN-2 section 7). */
  readonly stepUp?: { readonly key: string; readonly claims: string | undefined }
}

/** Input of {@link Provider.beginLogin}. */
export interface LoginRequest {
  readonly returnTo: string
  /** Allow-listed login parameters, each a single value, to pass on to the provider. */
  readonly parameters: Readonly<Record<string, string>>
  readonly endsSession: string | undefined
  /** A demand that came sealed: it takes the place of what link and operator say about the same. */
  readonly stepUp?: LoginDemand | undefined
}

/** What a login must prove before somebody goes on. */
export interface LoginDemand {
  /** `acr_values`, any of which will do. */
  readonly acrValues?: string | undefined
  /** Whole seconds, digits only. */
  readonly maxAge?: string | undefined
  /** A `claims` request parameter (OpenID Connect Core section 5.5), JSON text. */
  readonly claims?: string | undefined
}

/** What a completed login yields. */
export interface CompletedLogin {
  readonly identity: Identity
  readonly idToken: string
  readonly refreshToken: string | undefined
  readonly accessToken: AccessToken
  /** `session_expiry` of the ID token, epoch seconds, caps the session. */
  readonly sessionExpirySeconds: number | undefined
  /** What the tokens are bound to; absent: nothing. */
  readonly binding?: TokenBinding
  /** The step-up demand that this login was to meet, to be known when it is made again. */
  readonly lastDemand?: string
}

/** Why a refresh token is revoked: its user leaves, or nobody will ever use it (a refused login, a session that could not be kept). */
export type RevocationReason = 'logout' | 'unused'

/** Why a well-formed access token cannot be used; {@link AccessTokenFault.remedy} is in the provider's own words. */
export interface AccessTokenFault {
  readonly kind: 'opaque' | 'encrypted' | 'wrong_audience' | 'no_audience' | 'wrong_client' | 'symmetric'
  /** The API's audience, as configured; whether and how it was sent is in the explanation. */
  readonly askedFor: string
  /** The audiences found in the token; empty when it cannot be read. */
  readonly found: readonly string[]
  /** One or two plain sentences: what is wrong. */
  readonly explanation: string
  /** What the operator changes at this provider. */
  readonly remedy: string
}

/** Result of a refresh grant (DESIGN section 3.3). Nothing is thrown for what a provider may answer. */
export type RefreshOutcome =
  | {
      readonly kind: 'refreshed'
      readonly accessToken: AccessToken
      /** `undefined` when the provider did not rotate: the old one stays. */
      readonly refreshToken: string | undefined
      /** A new, verified ID token, or `undefined`: the old one stays. */
      readonly idToken: string | undefined
      /** The pinned identity with refreshed claims merged in. */
      readonly identity: Identity
      readonly sessionExpirySeconds: number | undefined
      /** What the new tokens are bound to, where that has changed. */
      readonly binding?: TokenBinding
    }
  /** Good answer, but the access token is opaque, encrypted or for another audience: keep the rotated refresh token, send nothing upstream. */
  | {
      readonly kind: 'unusable'
      readonly fault: AccessTokenFault
      readonly refreshToken: string | undefined
      readonly idToken: string | undefined
      readonly identity: Identity
      readonly sessionExpirySeconds: number | undefined
    }
  /** `invalid_grant` and its kin: re-read, then end the session. */
  | {
      readonly kind: 'refused'
      readonly error: string
      readonly facts?: RefusalFacts
      /** False: some providers say this word of a dead refresh token, others of a request that is wrong (DESIGN-2 section 1); absent counts as certain. */
      readonly isCertain?: boolean
      /** The provider's `claims` challenge, where the user has to meet one. */
      readonly claims?: string
    }
  /** Our client or configuration was refused: keep the session, 502. */
  | {
      readonly kind: 'rejected'
      readonly error: string
      readonly facts?: RefusalFacts
      /** Nobody was asked: we have found out ourselves that our configuration does not fit the provider. */
      readonly isOwn?: true
    }
  /** Network, timeout, 429, 5xx: keep the session. */
  | {
      readonly kind: 'unavailable'
      readonly error: string
      readonly facts?: RefusalFacts
      readonly retryAfterSeconds: number | undefined
      /** `transport` counts for the breaker: network, timeout or 5xx; `busy` is a 429; at `own` we had no proof to show, and asked nobody. */
      readonly cause: 'transport' | 'busy' | 'own'
      /** The request has gone out, and its answer has not come whole: the presented token may be spent. */
      readonly isAnswerLost?: boolean
    }
  /** The answer failed its checks although the old token is spent: revoke what came, end the session. */
  | {
      readonly kind: 'invalid'
      readonly error: string
      readonly facts?: RefusalFacts
      readonly obtainedRefreshToken: string | undefined
    }

/** The claims of a verified logout token (OIDC Back-Channel Logout 1.0 section 2.4). */
export interface LogoutToken {
  readonly issuer: string
  readonly subject: string | undefined
  readonly providerSessionId: string | undefined
  readonly issuedAtSeconds: number
  readonly jti: string
}

/** Whether there are sessions that a logout token would end. */
export type NamesSession = (
  named: Pick<LogoutToken, 'issuer' | 'subject' | 'providerSessionId'>,
) => Promise<boolean>

/** The OpenID Provider, as the rest of the gateway sees it. Errors are `GatewayError`s; wire spelling stops here. */
export interface Provider {
  /** The configured issuer, exactly. */
  readonly issuer: string
  /** The public halves of the client's keys, for `GET /client-keys`. */
  clientKeys(): readonly PublishedKey[]
  /** Whether {@link Provider.beginLogin} makes a request to the provider. */
  pushesLogins(): boolean
  /** Whether discovery has succeeded at least once, and what the last attempt said otherwise. Never internal detail. */
  status(): { readonly ready: boolean; readonly reason: string | undefined }
  /**
   * Builds the authorization request (OIDC Core 3.1.2.1, RFC 7636 S256, audience as configured), and pushes it to the provider where that
   * is asked for (RFC 9126).
   * @throws GatewayError `provider_unavailable`, `provider_rejected`
   */
  beginLogin(request: LoginRequest): Promise<{ readonly url: URL; readonly transaction: LoginTransaction }>
  /**
   * The `state` that an authorization response names: it finds the transaction, and nothing has been verified yet.
   *
   * @param untrustedAnswer the query, or the posted form
   * @param admit called before something is decrypted; throws when that may not be
   * @throws GatewayError `login_refused` when it has the form that was asked for and names none; whatever `admit` throws
   */
  stateOf(untrustedAnswer: string, admit: () => void): Promise<string | undefined>
  /**
   * Checks an authorization response: signature where one was asked for (JARM), duplicates, `state`, `iss` (RFC 9207), `error`. Makes no
   * request to the provider but for its keys. Runs before the state is redeemed.
   *
   * @returns the checked parameters, in the form of a query
   * @throws GatewayError `login_refused` or `login_denied` or `login_state_invalid` or `provider_unavailable`
   */
  checkAuthorizationResponse(untrustedAnswer: string, transaction: LoginTransaction): Promise<string>
  /** Says in the log what the provider's error means whose login is not known, if that is about the configuration. */
  adviseOnStray(words: RefusalFacts): void
  /**
   * Redeems the code and verifies everything that came (OIDC Core 3.1.3.7).
   *
   * @param checkedAnswer from {@link Provider.checkAuthorizationResponse}
   * @throws GatewayError `login_refused`, `access_token_unusable`, `provider_rejected`, `provider_unavailable`
   */
  completeLogin(checkedAnswer: string, transaction: LoginTransaction): Promise<CompletedLogin>
  /** One refresh grant (RFC 6749 section 6) for one API. Never throws for what the provider answers. */
  refresh(input: {
    readonly refreshToken: string
    readonly identity: Identity
    readonly audience: ApiAudience
    /** The ID token that is held: its nonce is the login's. */
    readonly idToken?: string | undefined
    /** What the session's tokens are bound to; absent: nothing. */
    readonly binding?: TokenBinding | undefined
    /** How long the answer is waited for, milliseconds; absent: as long as it may be worth something. */
    readonly deadlineMs?: number
  }): Promise<RefreshOutcome>
  /** Exchanges a caller's access token for one for another API. Never throws for what the provider answers. */
  exchange(request: ExchangeRequest): Promise<ApiGrantOutcome>
  /** A token of the gateway itself for an API. Never throws for what the provider answers. */
  clientToken(api: ApiAudience): Promise<ApiGrantOutcome>
  /**
   * Verifies the access token of a caller without a session (RFC 9068 section 4).
   * @throws BearerTokenError when it is none for this route; GatewayError `provider_unavailable`
   */
  verifyBearer(untrustedToken: string, rule: BearerRule): Promise<BearerFacts>
  /**
   * The claims that routes judge by, of a session's access token that came without them.
   * @throws GatewayError `access_token_unusable`, `provider_unavailable`
   */
  readVerifiedClaims(token: string, audience: ApiAudience): Promise<Claims>
  /**
   * RFC 7009, best effort, bounded to 2 s; resolves to whether the provider said it is done. The provider's profile decides by the reason
   * whether it is asked at all. Never throws.
   */
  revoke(refreshToken: string, reason: RevocationReason): Promise<boolean>
  /**
   * The end-session URL (RP-Initiated Logout 1.0; `/v2/logout` for an Auth0 issuer that announces none), or `undefined` when the
   * provider has none or discovery never succeeded. Never throws, makes no request.
   */
  endSessionUrl(input: {
    readonly idToken: string | undefined
    readonly identity: Identity | undefined
    readonly state: string
  }): URL | undefined
  /**
   * Verifies a logout token (OIDC Back-Channel Logout 1.0 section 2.6), all but the `jti` replay.
   * @param namesSession whether there are sessions that the token would end; asked before anything is verified, and only when its key is
   *   unknown: a flood of forgeries that name no session cannot keep the keys of a genuine one from being fetched
   * @throws LogoutTokenError when it is invalid; GatewayError `provider_unavailable` when keys cannot be had
   */
  verifyLogoutToken(untrustedToken: string, namesSession: NamesSession): Promise<LogoutToken>
  /** Stops background discovery and closes connections, once every revocation that was begun has been answered or given up (2 s). */
  close(): Promise<void>
}
