import type { GatewayError } from '../../errors/gateway-error.ts'
import type { Breaker } from '../../network/breaker.ts'
import type { Provider, RefreshOutcome } from '../../oidc/provider/provider.ts'
import type { AccessToken, ApiAudience } from '../../oidc/tokens/token-set.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import { isSendable } from '../record/token-rules.ts'
import type { StoredSession } from '../record/writes.ts'
import { noRefreshToken, takesTooLong } from './failing/errors.ts'
import { rejected } from './failing/refusal.ts'
import { outagePausesMs, setbackKey } from './failing/setbacks.ts'
import type { Granted, OutcomeDependencies, PutAside } from './granted.ts'
import type { Lease } from './lease/lease.ts'
import { applyOutcome } from './outcome.ts'
import type { Want } from './want.ts'

/** An answer that has not come by then is lost, and the provider may be asked again; milliseconds. */
const longestExchangeMs = 60_000

/** Rounds of read and grant for one want; more than one only when another node wrote in between. */
const mostRounds = 3

/** What a grant needs. */
export interface GrantDependencies extends OutcomeDependencies {
  readonly provider: Pick<Provider, 'refresh' | 'revoke'>
  readonly breaker: Breaker
  readonly telemetry: Telemetry
  /** The API of the login. */
  readonly defaultAudience: ApiAudience
}

/** One want of one session, and the lease under which it is served. */
export interface Serving {
  readonly id: string
  readonly h: string
  readonly want: Want
  readonly lease: Lease
  readonly putAside: PutAside
}

/**
 * Gets the token that a want is for, inside the lease (DESIGN section 3.3): reads again, and only asks the provider when nobody
 * else has done so in the meantime.
 *
 * @throws GatewayError of the codes of `AccessTokens.get`
 */
export async function serveWant(dependencies: GrantDependencies, serving: Serving): Promise<AccessToken> {
  const { id, h, want, lease } = serving
  const { records, endings, now } = dependencies
  for (let round = 0; round < mostRounds; round += 1) {
    if (!(await lease.confirm())) throw takesTooLong()
    const session = await records.open(id)
    if (session === undefined) throw endings.errorOf(h)
    const token = session.record.tokens.access[want.audience.key]
    if (token !== undefined && want.isFulfilledBy(token, now())) return token
    const granted = await grant(dependencies, serving, session)
    if (granted !== undefined) return granted
  }
  throw takesTooLong()
}

async function grant(
  dependencies: GrantDependencies,
  { h, want: { audience }, lease, putAside }: Serving,
  session: StoredSession,
): Promise<AccessToken | undefined> {
  const { setbacks, breaker, defaultAudience, now } = dependencies
  const { refreshToken } = session.record.tokens
  if (refreshToken === undefined) throw await withoutRefreshToken(dependencies, session, audience.key)
  const standing = setbacks.standing(h) ?? setbacks.standing(setbackKey(h, audience.key))
  if (standing !== undefined) throw standing
  if (!breaker.allows()) throw setbacks.note(h, { code: 'provider_unavailable' }, outagePausesMs.slice(0, 1))
  const isDefault = audience.key === defaultAudience.key
  const granted: Granted = { session, audience, isDefault, askedAtMs: now(), lease, putAside }
  const result = await applyOutcome(dependencies, granted, await ask(dependencies, granted, refreshToken))
  if (result === 'ask_default') return askDefault(dependencies, granted, refreshToken)
  return result === 'look_again' ? undefined : result
}

/** An additional API was refused with what might be the end of the session: the API of the login tells whether it is. */
async function askDefault(
  dependencies: GrantDependencies,
  granted: Granted,
  refreshToken: string,
): Promise<undefined> {
  const { defaultAudience: audience, now } = dependencies
  const asked: Granted = { ...granted, audience, isDefault: true, askedAtMs: now() }
  const result = await applyOutcome(dependencies, asked, await ask(dependencies, asked, refreshToken))
  if (result !== 'look_again') throw rejected(dependencies, granted, { error: 'invalid_grant' })
}

/** The session ends with its access token; an API for which there never was one ends nothing. */
async function withoutRefreshToken(
  { endings, now }: GrantDependencies,
  session: StoredSession,
  audienceKey: string,
): Promise<GatewayError> {
  const token = session.record.tokens.access[audienceKey]
  if (token === undefined || isSendable(token, now())) return noRefreshToken()
  return endings.endWithToken(session)
}

/**
 * Asks the provider. An answer that is late may hold the only refresh token that still works, so nobody gives up on it when those who wait
 * are sent away.
 */
async function ask(
  { provider, breaker, telemetry, answerWithinMs, now }: GrantDependencies,
  { session, audience, putAside }: Granted,
  refreshToken: string,
): Promise<RefreshOutcome> {
  const startedAtMs = performance.now()
  const { identity, tokens } = session.record
  const { h } = session.view
  const givenUp = Promise.withResolvers<never>()
  const givesUpAtMs = now() + longestExchangeMs
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    breaker.record(h, true)
    putAside(takesTooLong(), () => {
      const isOver = now() >= givesUpAtMs
      if (isOver) givenUp.reject(takesTooLong())
      return isOver
    })
  }, answerWithinMs)
  const asking = provider
    .refresh({ refreshToken, identity, audience, idToken: tokens.idToken, binding: tokens.binding })
    .catch(unexpected)
  const outcome = await Promise.race([asking, givenUp.promise]).finally(() => clearTimeout(timer))
  const hasFailed = outcome.kind === 'unavailable' && outcome.cause === 'transport'
  if (wasAsked(outcome) && !(isLate && hasFailed)) breaker.record(h, hasFailed)
  telemetry.metrics.refresh(outcome.kind, (performance.now() - startedAtMs) / 1_000)
  return outcome
}

/** Not where we had nothing to prove ourselves with, or nothing that the provider takes: that says nothing about the provider. */
function wasAsked(outcome: RefreshOutcome): boolean {
  if (outcome.kind === 'rejected') return outcome.isOwn !== true
  return outcome.kind !== 'unavailable' || outcome.cause !== 'own'
}

/** By its contract refresh() does not throw; if it ever does, no session may be lost by it. */
function unexpected(): RefreshOutcome {
  return { kind: 'unavailable', error: 'internal', retryAfterSeconds: undefined, cause: 'busy' }
}
