import type { RouteAudience } from '../../config/audience.ts'
import type { CompletedLogin, Provider, RefreshOutcome } from '../../oidc/provider/provider.ts'
import { readTokenFacts } from '../../oidc/tokens/token-facts.ts'
import type { AccessToken } from '../../oidc/tokens/token-set.ts'
import type { DoctorContext } from '../check.ts'
import { faultOf } from './fault-of.ts'
import type { RefreshTrial } from './login-report.ts'

/** One API, as a refresh asks for it. */
interface Wish {
  readonly audience: RouteAudience
  /** The route that needs it; `undefined`: the login asked for it. */
  readonly prefix: string | undefined
}

/** What the refreshes brought. */
export interface RefreshTrials {
  readonly trials: readonly RefreshTrial[]
  /** The access tokens that an API can use, by the key of their API. */
  readonly tokens: ReadonlyMap<string, AccessToken>
  /** The refresh token that is alive in the end. */
  readonly refreshToken: string | undefined
}

/** Asks for a next access token for each API with the refresh token of a login. None came: no trials. */
export async function tryRefreshes(
  context: Pick<DoctorContext, 'config' | 'hints'>,
  provider: Provider,
  { refreshToken: first, identity, binding }: CompletedLogin,
): Promise<RefreshTrials> {
  const trials: RefreshTrial[] = []
  const tokens = new Map<string, AccessToken>()
  // A person waits, and these tokens are of no use afterwards.
  const deadlineMs = context.config.providerTimeout * 1_000
  let refreshToken = first
  if (refreshToken === undefined) return { trials, tokens, refreshToken }
  for (const { audience, prefix } of wishesOf(context.config)) {
    const request = { refreshToken, identity, audience, binding, deadlineMs }
    const outcome: RefreshOutcome = await provider.refresh(request)
    const next = nextToken(outcome)
    const isRotated = next !== undefined && next !== refreshToken
    const judged = judge(context, outcome, audience)
    trials.push({ prefix, isRotated, ...judged })
    if (outcome.kind === 'refreshed' && judged.fault === undefined)
      tokens.set(audience.key, outcome.accessToken)
    refreshToken = next ?? refreshToken
  }
  return { trials, tokens, refreshToken }
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
): Pick<RefreshTrial, 'failure' | 'fault'> {
  if (outcome.kind === 'unusable') return { failure: undefined, fault: outcome.fault }
  if (outcome.kind !== 'refreshed') {
    const { kind, error, facts = {} } = outcome
    return { failure: { kind, error, facts }, fault: undefined }
  }
  return { failure: undefined, fault: faultOf(context, readTokenFacts(outcome.accessToken.value), audience) }
}
