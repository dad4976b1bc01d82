import type { IncomingMessage, ServerResponse } from 'node:http'

/** An API that is registered at the demo provider; Auth0 calls it a resource server. */
export interface DemoApi {
  /** The audience, compared exactly: case and a trailing slash matter. An absolute URI. */
  readonly identifier: string
  /** Every permission the API knows; each is also a scope. */
  readonly permissions: readonly string[]
  /** "Allow Offline Access": off means silently no refresh token. Default true. */
  readonly allowOfflineAccess?: boolean
  /** "Signing Algorithm"; HS256 shares a secret, which no public key can stand in for. Default RS256. */
  readonly signingAlgorithm?: 'RS256' | 'HS256'
}

/** Somebody who can sign in. */
export interface DemoUser {
  /** The `sub`. */
  readonly id: string
  readonly name: string
  readonly email: string
  /** One line under the name on the login page. */
  readonly description?: string
  /** Assigned permissions, per API identifier. */
  readonly permissions: Readonly<Record<string, readonly string[]>>
}

/** A registered application: a confidential client. */
export interface DemoClient {
  readonly clientId: string
  readonly clientSecret: string
  /** Origin of its gateway; the callback, logout and back-channel URLs follow from it. */
  readonly baseUrl: string
  /** `AUTH_PREFIX` of that gateway. Default none. */
  readonly authPrefix?: string
  /** Where the provider sends logout tokens; default `<baseUrl><authPrefix>/backchannel-logout`, `null` for nowhere. */
  readonly backchannelLogoutUrl?: string | null
  /** Default `client_secret_post`, as Auth0's SDKs use. */
  readonly authentication?: 'client_secret_post' | 'client_secret_basic'
}

/** What may be changed while the provider runs. */
export interface DemoProviderKnobs {
  /** Life of an access token in seconds. */
  accessTokenTtlSeconds: number
  /** Id of the user who is signed in without any page; a `login_hint` with another user's email or id wins. */
  autoLogin: string | undefined
  /** What is issued without an audience: a five-part JWE as Auth0 does today, or a short random string as it used to. */
  opaqueTokens: 'jwe' | 'string'
  /** Whether a refresh gives a new refresh token and the reuse of an old one revokes the family. */
  rotateRefreshTokens: boolean
  /** Answers 503 to everything, as a provider does that is down. */
  isDown: boolean
  /** Sign-ins are said to be so old, seconds; 0 is the truth. */
  signInAgeSeconds: number
}

/** Options of `startDemoProvider`. */
export interface DemoProviderOptions extends Partial<DemoProviderKnobs> {
  readonly clients: readonly DemoClient[]
  readonly apis: readonly DemoApi[]
  readonly users: readonly DemoUser[]
  /** Default 0: any free port. */
  readonly port?: number
  /** Default `127.0.0.1`. */
  readonly host?: string
  /** Default `http://127.0.0.1:<port>/`; it ends in a slash as Auth0's does. */
  readonly issuer?: string
  /** Whether discovery names the end-session endpoint; older Auth0 tenants do not. Default true. */
  readonly endSessionDiscovery?: boolean
  /** Authentication contexts that discovery announces; any other that is asked for is granted too. Default none: then there is no `acr`. */
  readonly acrValues?: readonly string[]
  /** Answers requests in the provider's place; says whether it did. */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse) => boolean
}

/** The registrations and the knobs, as the parts of the provider see them. */
export interface DemoTenant {
  readonly issuer: string
  readonly clients: readonly DemoClient[]
  readonly apis: readonly DemoApi[]
  readonly users: readonly DemoUser[]
  readonly endSessionDiscovery: boolean
  readonly acrValues: readonly string[]
  readonly knobs: DemoProviderKnobs
}

/** Auth0's own default for a custom API is a day; a demo should refresh while somebody watches. */
const defaultAccessTokenTtlSeconds = 90

/** Fills in the defaults of the knobs. */
export function toKnobs(options: Partial<DemoProviderKnobs>): DemoProviderKnobs {
  return {
    accessTokenTtlSeconds: options.accessTokenTtlSeconds ?? defaultAccessTokenTtlSeconds,
    autoLogin: options.autoLogin,
    opaqueTokens: options.opaqueTokens ?? 'jwe',
    rotateRefreshTokens: options.rotateRefreshTokens ?? true,
    isDown: options.isDown ?? false,
    signInAgeSeconds: options.signInAgeSeconds ?? 0,
  }
}

/** The audience that stands for "no API": only the userinfo endpoint takes such a token. */
export const userinfoAudience = (tenant: Pick<DemoTenant, 'issuer'>): string => `${tenant.issuer}userinfo`
