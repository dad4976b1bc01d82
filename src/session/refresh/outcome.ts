import { setTimeout as sleep } from 'node:timers/promises'
import type { GatewayError } from '../../errors/gateway-error.ts'
import type { RefreshOutcome } from '../../oidc/provider/provider.ts'
import type { AccessToken } from '../../oidc/tokens/token-set.ts'
import { describeFault } from '../lifecycle/sessions.ts'
import { type RecordChange, writeChange } from './change.ts'
import { notSettled } from './failing/errors.ts'
import { refused, rejected } from './failing/refusal.ts'
import { configurationPausesMs, outagePausesMs, setbackKey } from './failing/setbacks.ts'
import type { Granted, Of, OutcomeDependencies } from './granted.ts'
import { type Obtained, refreshedRecord } from './refreshed-record.ts'

/**
 * Does what an answer of the provider means for the session: the table of DESIGN section 3.3.
 *
 * @returns the new token; `look_again`: another node wrote in between; `ask_default`: an API besides the login's cannot tell, so that a
 *   refresh for the login's own decides
 * @throws GatewayError for everything else
 */
export async function applyOutcome(
  dependencies: OutcomeDependencies,
  granted: Granted,
  outcome: RefreshOutcome,
): Promise<AccessToken | 'look_again' | 'ask_default'> {
  if (outcome.kind === 'refreshed' || outcome.kind === 'unusable') dependencies.doubts.clear()
  if (outcome.kind !== 'refreshed') reportFailure(dependencies, granted, outcome)
  switch (outcome.kind) {
    case 'refreshed':
      return refreshed(dependencies, granted, outcome)
    case 'unusable':
      return unusable(dependencies, granted, outcome)
    case 'refused':
      return refused(dependencies, granted, outcome)
    case 'rejected':
      throw rejected(dependencies, granted, outcome)
    case 'unavailable':
      throw await unavailable(dependencies, granted, outcome)
    case 'invalid':
      await revoke(dependencies, outcome.obtainedRefreshToken)
      throw await dependencies.endings.endRefused(granted.session)
  }
}

function reportFailure(
  { telemetry }: OutcomeDependencies,
  { session: { view } }: Granted,
  outcome: Exclude<RefreshOutcome, { readonly kind: 'refreshed' }>,
): void {
  const reason = outcome.kind === 'unusable' ? outcome.fault.kind : outcome.error
  const facts = outcome.kind === 'unusable' ? {} : (outcome.facts ?? {})
  const { sessionRef, userRef } = view
  const event = { sessionRef, userRef, outcome: outcome.kind, reason, ...facts }
  telemetry.audit.event('session.refresh_failed', event)
}

async function refreshed(
  dependencies: OutcomeDependencies,
  granted: Granted,
  outcome: Of<'refreshed'>,
): Promise<AccessToken | 'look_again'> {
  if (!(await write(dependencies, granted, outcome))) return 'look_again'
  const { h, sessionRef, userRef } = granted.session.view
  dependencies.setbacks.clear(h)
  dependencies.setbacks.clear(setbackKey(h, granted.audience.key))
  dependencies.telemetry.audit.event('session.refreshed', { sessionRef, userRef })
  return outcome.accessToken
}

/** The refresh token in the answer is the only one that still works, whatever else is wrong with the answer. */
async function unusable(
  dependencies: OutcomeDependencies,
  granted: Granted,
  outcome: Of<'unusable'>,
): Promise<'look_again'> {
  const { fault, refreshToken, idToken, sessionExpirySeconds } = outcome
  const hasNews = refreshToken !== undefined || idToken !== undefined || sessionExpirySeconds !== undefined
  if (hasNews && !(await write(dependencies, granted, outcome))) return 'look_again'
  dependencies.telemetry.log.warn({ ...fault, audience: granted.audience.key }, 'access token unusable')
  const key = setbackKey(granted.session.view.h, granted.audience.key)
  const problem = { code: 'access_token_unusable', detail: describeFault(fault) } as const
  throw dependencies.setbacks.note(key, problem, configurationPausesMs)
}

/**
 * The provider may still be at a request whose answer is lost: nobody asks it again before that would have been given up as well, on any
 * node (DESIGN-2 section 12). The lease is held until then, while those who wait are sent away.
 */
async function unavailable(
  { setbacks, answerWithinMs, now }: OutcomeDependencies,
  { session, askedAtMs, putAside }: Granted,
  { retryAfterSeconds, isAnswerLost = false }: Of<'unavailable'>,
): Promise<GatewayError> {
  const untilMs = askedAtMs + answerWithinMs
  const quietMs = isAnswerLost ? Math.max(0, untilMs - now()) : 0
  const atLeastMs = Math.max(quietMs, (retryAfterSeconds ?? 0) * 1_000)
  const error = setbacks.note(session.view.h, { code: 'provider_unavailable' }, outagePausesMs, atLeastMs)
  if (quietMs === 0) return error
  const over = new AbortController()
  putAside(error, () => {
    const isOver = now() >= untilMs
    if (isOver) over.abort()
    return isOver
  })
  await sleep(quietMs, undefined, { signal: over.signal }).catch(() => undefined)
  return error
}

/**
 * Writes what was obtained, whatever else was written meanwhile. False: another refresh won, so that the record no longer holds the token
 * that we spent; ours is discarded then, and nothing revoked, because that could end the winner's grant.
 */
async function write(
  dependencies: OutcomeDependencies,
  { session, audience, putAside }: Granted,
  obtained: Obtained,
): Promise<boolean> {
  const spent = session.record.tokens.refreshToken
  const change: RecordChange = (record) =>
    record.tokens.refreshToken === spent ? refreshedRecord(record, audience.key, obtained) : record
  const { kind } = await writeChange(dependencies, session, change, () => putAside(notSettled()))
  if (kind !== 'gone') return kind === 'written'
  await revoke(dependencies, obtained.refreshToken)
  throw dependencies.endings.errorOf(session.view.h)
}

async function revoke({ provider }: OutcomeDependencies, refreshToken: string | undefined): Promise<void> {
  if (refreshToken !== undefined) await provider.revoke(refreshToken, 'unused')
}
