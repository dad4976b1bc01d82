import type { RefusalFacts } from '../../oidc/provider/failures/refusal.ts'
import type { AccessTokenFault } from '../../oidc/provider/provider.ts'
import type { TokenFacts } from '../../oidc/tokens/token-facts.ts'
import { type Finding, SkipCheck } from '../finding.ts'
import type { ProbeAnswer } from '../probes/http-probe.ts'
import type { RouteClaims } from './route-claims.ts'

/** What one real login brought; no token is in it. */
export interface LoginReport {
  readonly accessToken: TokenFacts
  /** Whether the access token was signed with a key that the provider publishes. */
  readonly signature: SignatureVerdict
  /** Whether it is about the user who signed in. */
  readonly isSameUser: boolean
  /** How far the provider's clock was ahead when it made the ID token, milliseconds. */
  readonly aheadMs: number
  /** The names of `USER_CLAIMS` that neither the ID token nor the userinfo endpoint has. */
  readonly missingClaims: readonly string[]
  /** What routes read, and did not come, for each route that reads something. */
  readonly routeClaims: readonly RouteClaims[]
  /** What each API says to the token that the gateway would send there. */
  readonly apis: readonly ApiTrial[]
  /** Why the API could not use the access token, by the rule of the settings. */
  readonly fault: AccessTokenFault | undefined
  /** How long the access token lives, whole seconds. */
  readonly lifeSeconds: number
  /** What came of using the refresh token, once for each API; empty: there was none. */
  readonly refreshes: readonly RefreshTrial[]
  /** Whether the ID token names the provider's session (`sid`). */
  readonly namesProviderSession: boolean
}

/** `unreadable`: it is no JWT with a signature that could be looked at. */
export type SignatureVerdict = 'verified' | 'unpublished' | 'forged' | 'unreadable' | 'unknown'

/** What an API said to its token. */
export interface ApiTrial {
  readonly prefix: string
  readonly upstream: URL
  readonly said:
    | { readonly kind: 'answers'; readonly withToken: ProbeAnswer; readonly withoutToken: ProbeAnswer }
    /** Nothing was sent, for this reason. */
    | { readonly kind: 'untried'; readonly reason: string }
}

/** What came of one refresh grant. */
export interface RefreshTrial {
  /** The first route whose API it was for; `undefined`: the API for which the login asked. */
  readonly prefix: string | undefined
  /** Whether another refresh token took the place of the one that was used. */
  readonly isRotated: boolean
  /** Why no access token came, and in what way. */
  readonly failure: RefreshFailure | undefined
  /** Why the API could not use the one that came. */
  readonly fault: AccessTokenFault | undefined
}

/** A refresh that brought nothing. */
export interface RefreshFailure {
  readonly kind: 'refused' | 'rejected' | 'unavailable' | 'invalid'
  readonly error: string
  readonly facts: RefusalFacts
}

/** A login, or what kept it from coming to pass. */
export type LoginOutcome = { readonly report: LoginReport } | { readonly finding: Finding }

/** Where a login is found. */
interface HasLogin {
  readonly login: () => Promise<LoginOutcome>
}

/**
 * What the login brought, for the checks after the first.
 *
 * @throws SkipCheck when it did not come to pass
 */
export async function loginReport({ login }: HasLogin): Promise<LoginReport> {
  const outcome = await login()
  if ('finding' in outcome) throw new SkipCheck('The login did not come to pass.')
  return outcome.report
}

/**
 * What a JWT access token says.
 *
 * @throws SkipCheck when it is not a JWT that can be read
 */
export async function readableToken(context: HasLogin): Promise<LoginReport> {
  const report = await loginReport(context)
  if (report.accessToken.kind !== 'jwt') throw new SkipCheck('The access token cannot be read.')
  return report
}
