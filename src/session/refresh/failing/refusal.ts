import type { GatewayError } from '../../../errors/gateway-error.ts'
import type { Granted, Of, OutcomeDependencies } from '../granted.ts'
import { takesTooLong } from './errors.ts'

import { configurationPausesMs, setbackKey } from './setbacks.ts'

/** The provider wants the user, not another refresh token: a login that satisfies it is the remedy. */
const stepUpErrors: ReadonlySet<string> = new Set([
  'interaction_required',
  'consent_required',
  'mfa_required',
  'account_selection_required',
])
/** For an API besides the login's these say nothing about the session either. */
const loginErrors: ReadonlySet<string> = new Set([...stepUpErrors, 'login_required'])

/**
 * What a refused refresh means (DESIGN-2 section 1).
 *
 * @returns `look_again`: another node wrote in between; `ask_default`: whether the session is over is decided by a refresh for the
 *   login's own API
 * @throws GatewayError for everything else
 */
export async function refused(
  dependencies: OutcomeDependencies,
  granted: Granted,
  outcome: Of<'refused'>,
): Promise<'look_again' | 'ask_default'> {
  const { records, endings, doubts } = dependencies
  const { session, lease, isDefault } = granted
  const { error } = outcome
  if ((isDefault ? stepUpErrors : loginErrors).has(error)) throw stepUp(dependencies, granted, outcome)
  if (!isDefault && error === 'access_denied') throw rejected(dependencies, granted, outcome)
  if (!(await lease.confirm())) throw takesTooLong()
  const current = await records.open(session.id)
  if (current === undefined) throw endings.errorOf(session.view.h)
  // Another node may have refreshed while we believed that we held the lease: then its result counts, not this refusal.
  if (current.record.tokens.refreshToken !== session.record.tokens.refreshToken) return 'look_again'
  if (!isDefault) return 'ask_default'
  if (outcome.isCertain === false && doubts.judge(session.view.h) === 'operator') {
    throw rejected(dependencies, granted, outcome)
  }
  throw await endings.endRefused(current)
}

/** The session stays; what stands in the way is told to every request that would only meet it again. */
function stepUp(
  { setbacks }: OutcomeDependencies,
  { session, audience }: Granted,
  { error, claims }: Of<'refused'>,
): GatewayError {
  const key = setbackKey(session.view.h, audience.key)
  const context = { reason: error, ...(claims === undefined ? {} : { claims }) }
  return setbacks.note(key, { code: 'step_up_required', context }, configurationPausesMs)
}

/** An operator's fault: loud, and no session ends by it. */
export function rejected(
  { telemetry, setbacks }: Pick<OutcomeDependencies, 'telemetry' | 'setbacks'>,
  { session, audience }: Pick<Granted, 'session' | 'audience'>,
  { error, facts }: Pick<Of<'refused' | 'rejected'>, 'error' | 'facts'>,
): GatewayError {
  telemetry.log.error(
    { reason: error, audience: audience.key, ...facts },
    'the provider refuses our client or its configuration: sessions are kept but get no new tokens',
  )
  const key = setbackKey(session.view.h, audience.key)
  return setbacks.note(key, { code: 'provider_rejected' }, configurationPausesMs)
}
