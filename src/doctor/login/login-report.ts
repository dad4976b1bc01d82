import type { AccessTokenFault } from '../../oidc/provider/provider.ts'
import type { TokenFacts } from '../../oidc/tokens/token-facts.ts'
import type { DoctorContext } from '../check.ts'
import { type Finding, SkipCheck } from '../finding.ts'

/** What one real login brought; no token is in it. */
export interface LoginReport {
  readonly accessToken: TokenFacts
  /** Why the API could not use the access token, by the rule of the settings. */
  readonly fault: AccessTokenFault | undefined
  /** How long the access token lives, whole seconds. */
  readonly lifeSeconds: number
  /** What came of using the refresh token, once for each API; empty: there was none. */
  readonly refreshes: readonly RefreshTrial[]
  /** Whether the ID token names the provider's session (`sid`). */
  readonly namesProviderSession: boolean
}

/** What came of one refresh grant. */
export interface RefreshTrial {
  /** The first route whose API it was for; `undefined`: the API for which the login asked. */
  readonly prefix: string | undefined
  /** Whether another refresh token took the place of the one that was used. */
  readonly isRotated: boolean
  /** Why no access token came. */
  readonly error: string | undefined
  /** Why the API could not use the one that came. */
  readonly fault: AccessTokenFault | undefined
}

/** A login, or what kept it from coming to pass. */
export type LoginOutcome = { readonly report: LoginReport } | { readonly finding: Finding }

/**
 * What the login brought, for the checks after the first.
 *
 * @throws SkipCheck when it did not come to pass
 */
export async function loginReport({ login }: Pick<DoctorContext, 'login'>): Promise<LoginReport> {
  const outcome = await login()
  if ('finding' in outcome) throw new SkipCheck('The login did not come to pass.')
  return outcome.report
}

/**
 * What a JWT access token says.
 *
 * @throws SkipCheck when it is not a JWT that can be read
 */
export async function readableToken(context: Pick<DoctorContext, 'login'>): Promise<LoginReport> {
  const report = await loginReport(context)
  if (report.accessToken.kind !== 'jwt') throw new SkipCheck('The access token cannot be read.')
  return report
}
