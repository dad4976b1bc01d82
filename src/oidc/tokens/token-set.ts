/** An access token for one API, as the provider issued it. Opaque to the gateway. */
export interface AccessToken {
  readonly value: string
  /** When the provider granted it, epoch milliseconds of this node. */
  readonly obtainedAtMs: number
  /** When it expires, epoch milliseconds of this node. */
  readonly expiresAtMs: number
  /** Claims of the token after its signature was verified; absent unless somebody reads them. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Thumbprint of the key or certificate without which it is worth nothing (`cnf`); absent: a bearer token. */
  readonly boundTo?: string
}

/**
 * One API for which access tokens are obtained: what is asked of the provider, and what is accepted as its answer.
 * `key` names it in the session record and never changes for the same API.
 */
export interface ApiAudience {
  readonly key: string
  /** Value of `audience` and/or `resource` (RFC 8707) in requests; `undefined` sends neither. */
  readonly value: string | undefined
  readonly parameter: 'audience' | 'resource' | 'both' | 'none'
  /** Any of these in `aud` makes the token usable; empty: not checked. */
  readonly accepted: readonly string[]
  /** Scope to ask for on refresh, when the route narrows or widens it. */
  readonly scope: string | undefined
}

/** What the tokens of a session are bound to. */
export type TokenBinding =
  /** The session's own private key (RFC 9449), a JWK. */
  | { readonly kind: 'dpop'; readonly privateJwk: Readonly<Record<string, unknown>> }
  /** The client certificate of this SHA-256 thumbprint (RFC 8705). */
  | { readonly kind: 'mtls'; readonly certificateThumbprint: string }

/** Whether tokens are to be worth something for us alone (DESIGN-2 section 5). */
export type TokenBindingKind = 'none' | TokenBinding['kind']

/** Who signed in: the pinned facts of the ID token. Claims that a refreshed ID token lacks are kept. */
export interface Identity {
  readonly issuer: string
  readonly subject: string
  /** The provider's session, from the login ID token. */
  readonly providerSessionId: string | undefined
  /** Whole seconds of the provider's clock: `iat` of the login ID token, the score in the indexes. */
  readonly loginIssuedAtSeconds: number
  readonly authTimeSeconds: number | undefined
  readonly acr: string | undefined
  /** The claims that `USER_CLAIMS` lets `/session` show. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** All tokens of a session. They never leave the server, except the ID token as `id_token_hint`. */
export interface TokenSet {
  readonly idToken: string
  readonly refreshToken: string | undefined
  /** Access tokens by {@link ApiAudience.key}. */
  readonly access: Readonly<Record<string, AccessToken>>
  /** Absent: bearer tokens. */
  readonly binding?: TokenBinding
}

/**
 * An access token is sent upstream until this long before it expires, so that it does not die on the way; or for the first half of a
 * shorter life, so that every token that is obtained can be sent.
 */
const usableMarginMs = 10_000

/** Refresh ahead starts in this last share of a token's life … */
const aheadShare = 0.1
/** … but never earlier than this before its end. */
const aheadLimitMs = 60_000

function lifeMsOf(token: AccessToken): number {
  return Math.max(0, token.expiresAtMs - token.obtainedAtMs)
}

/** How long the token may be sent, milliseconds: one that lives no longer than the margin for half of its life. */
function usableMsOf(token: AccessToken): number {
  const lifeMs = lifeMsOf(token)
  return lifeMs > usableMarginMs ? lifeMs - usableMarginMs : lifeMs / 2
}

/** Until when the token may be sent, epoch milliseconds. */
export function usableUntilMs(token: AccessToken): number {
  return token.obtainedAtMs + usableMsOf(token)
}

/** Whether the token may still be sent to the API at `nowMs`. */
export function isUsable(token: AccessToken, nowMs: number): boolean {
  return nowMs < usableUntilMs(token)
}

/**
 * When a background refresh becomes due: in the last 10 % of the token's life, at most 60 s before the token stops being
 * usable, and not before half of its use is over.
 */
export function refreshDueAtMs(token: AccessToken): number {
  return usableUntilMs(token) - Math.min(lifeMsOf(token) * aheadShare, aheadLimitMs, usableMsOf(token) / 2)
}

/** Whether a refresh should be started, in the background while the token {@link isUsable}. */
export function isRefreshDue(token: AccessToken, nowMs: number): boolean {
  return nowMs >= refreshDueAtMs(token)
}
