import type { RouteAudience } from '../../config/routes/route.ts'
import type { CompletedLogin, Provider, RefreshOutcome } from '../../oidc/provider/provider.ts'
import { readTokenFacts } from '../../oidc/tokens/token-facts.ts'
import type { DoctorContext } from '../check.ts'
import { faultOf } from './fault-of.ts'
import type { RefreshTrial } from './login-report.ts'

/** One API, as a refresh asks for it. */
interface Wish {
  readonly audience: RouteAudience
  /** The route that needs it; `undefined`: the login asked for it. */
  readonly prefix: string | undefined
}

/**
 * Asks for a next access token for each API with the refresh token of a login, and revokes that in the end. None came: no trials.
 */
export async function tryRefreshes(
  context: Pick<DoctorContext, 'config' | 'hints'>,
  provider: Provider,
  { refreshToken: first, identity }: CompletedLogin,
): Promise<readonly RefreshTrial[]> {
  const trials: RefreshTrial[] = []
  let refreshToken = first
  if (refreshToken === undefined) return trials
  for (const { audience, prefix } of wishesOf(context.config)) {
    const outcome: RefreshOutcome = await provider.refresh({ refreshToken, identity, audience })
    const next = nextToken(outcome)
    const isRotated = next !== undefined && next !== refreshToken
    trials.push({ prefix, isRotated, ...judge(context, outcome, audience) })
    refreshToken = next ?? refreshToken
  }
  await provider.revoke(refreshToken, 'logout')
  return trials
}

/** The login's own API first; a key names an API in every route. */
function wishesOf({ audience, routes }: DoctorContext['config']): readonly Wish[] {
  const wishes = new Map<string, Wish>([[audience.key, { audience, prefix: undefined }]])
  for (const route of routes) {
    if (route.audience === undefined || wishes.has(route.audience.key)) continue
    wishes.set(route.audience.key, { audience: route.audience, prefix: route.prefix })
  }
  return [...wishes.values()]
}

function nextToken(outcome: RefreshOutcome): string | undefined {
  if (outcome.kind === 'invalid') return outcome.obtainedRefreshToken
  return 'refreshToken' in outcome ? outcome.refreshToken : undefined
}

function judge(
  context: Pick<DoctorContext, 'config' | 'hints'>,
  outcome: RefreshOutcome,
  audience: RouteAudience,
): Pick<RefreshTrial, 'error' | 'fault'> {
  if (outcome.kind === 'unusable') return { error: undefined, fault: outcome.fault }
  if (outcome.kind !== 'refreshed') return { error: outcome.error, fault: undefined }
  return { error: undefined, fault: faultOf(context, readTokenFacts(outcome.accessToken.value), audience) }
}
