import type { RouteAudience } from '../../audience.ts'
/** With what token a route's requests go upstream (DESIGN-2 section 6.1). */
export type RouteTokenKind = 'user' | 'exchange' | 'client' | 'gateway' | 'none'

/** Who may call a route: a browser with its session, or somebody with a token of the provider's (DESIGN-2 section 6.2). */
export type CallerKind = 'session' | 'bearer'

/** How a token is exchanged (RFC 8693, or Entra's on-behalf-of). */
export interface RouteExchange {
  readonly profile: 'rfc8693' | 'on-behalf-of'
  /** `requested_token_type`; `undefined` asks for none. */
  readonly requestedTokenType: string | undefined
}

/** Values that a claim must hold, every one of them. */
export interface ClaimDemand {
  readonly source: 'identity' | 'access_token'
  /** A name, or a JSON Pointer (RFC 6901) when it begins with a slash. */
  readonly claim: string
  readonly values: readonly string[]
}

/** What a caller must have and have proved; all of it. */
export interface RouteDemand {
  readonly claims: readonly ClaimDemand[]
  /** Any one of these; `undefined`: any login will do. */
  readonly acr: readonly string[] | undefined
  /** The longest time since the user proved who they are, seconds. */
  readonly maxAgeSeconds: number | undefined
}

/** `require` of a route: a demand, and several of which one must be met when there are any. */
export interface RouteRequirement extends RouteDemand {
  readonly any: readonly RouteDemand[]
}

/** Who may call a route, with what token, and what they must have proved (DESIGN-2 section 6). */
export interface RouteAccess {
  readonly token: RouteTokenKind
  /** The API as callers' tokens, exchanged, client's and minted tokens name it; `undefined` where there are none. */
  readonly api: RouteAudience | undefined
  readonly exchange: RouteExchange
  readonly callers: readonly CallerKind[]
  readonly require: RouteRequirement | undefined
  /** Headers that are written from the verified identity: name, as it was spelled, and claim. */
  readonly identityHeaders: readonly (readonly [name: string, claim: string])[]
  /** Claims of the identity that a minted token holds. */
  readonly claims: readonly string[]
}

/** A route that says nothing of all this: the session's own token goes upstream. */
export const plainAccess: RouteAccess = {
  token: 'user',
  api: undefined,
  exchange: { profile: 'rfc8693', requestedTokenType: undefined },
  callers: ['session'],
  require: undefined,
  identityHeaders: [],
  claims: [],
}
