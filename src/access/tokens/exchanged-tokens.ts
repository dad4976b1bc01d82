import { createRecentMap } from '../../basics/recent-map.ts'
import type { GatewayError } from '../../errors/gateway-error.ts'
import type { StepUpDemand } from '../../http/login/step-up.ts'
import type { Provider } from '../../oidc/provider/provider.ts'
import type { ApiGrantOutcome, ExchangeRequest } from '../../oidc/tokens/grants.ts'

import { type AccessToken, isUsable } from '../../oidc/tokens/token-set.ts'
import type { Sessions } from '../../session/lifecycle/sessions.ts'
import { configurationPausesMs, type Setbacks } from '../../session/refresh/failing/setbacks.ts'
import type { Logger } from '../../telemetry/telemetry.ts'
import { watchHolders } from './holders.ts'
import { tokenFailure } from './token-failure.ts'

/** A token that somebody's own is exchanged for. */
export interface ExchangeWant extends Omit<ExchangeRequest, 'subjectToken'> {
  /** Hash of the session, or of the bearer's token. */
  readonly holder: string
  readonly isSession: boolean
  readonly route: string
  readonly subject: AccessToken
  /** Another token of the same caller than one that the provider did not take; `undefined`: there is none. */
  readonly otherSubject: (rejected: AccessToken) => Promise<AccessToken | undefined>
  /** The answer to a caller whom the provider wants to see first. */
  readonly stepUp: (demand: StepUpDemand) => GatewayError
}

/** Exchanged tokens of sessions and bearers, in memory alone (DESIGN-2 section 6.1). */
export interface ExchangedTokens {
  /**
   * Synchronous while there is one of this very subject.
   * @throws GatewayError `token_refused`, `step_up_required`, `provider_rejected`, `provider_unavailable`, `access_token_unusable`
   */
  get(want: ExchangeWant): AccessToken | Promise<AccessToken>
  /** Forgets one that an API has rejected, and gets another. */
  renew(want: ExchangeWant, rejected: AccessToken): Promise<AccessToken>
}

/** What exchanges need. */
export interface ExchangedTokensDependencies {
  readonly provider: Pick<Provider, 'exchange'>
  readonly sessions: Pick<Sessions, 'subscribe' | 'exist'>
  readonly setbacks: Setbacks
  readonly log: Logger
  readonly now: () => number
}

/** Sessions and bearers whose tokens are kept; a forgotten one costs another exchange. */
const mostHolders = 10_000

interface Entry {
  /** The token that was exchanged; another one makes this worthless. */
  readonly subject: string
  token: AccessToken | undefined
  pending: Promise<AccessToken> | undefined
  /** What the provider wants first, told again until the setback is over. */
  demand: StepUpDemand | undefined
}

/** Makes an empty store of exchanged tokens. */
export function createExchangedTokens(dependencies: ExchangedTokensDependencies): ExchangedTokens {
  const { setbacks, sessions, now } = dependencies
  const holders = createRecentMap<Map<string, Entry>>(mostHolders)
  const watch = watchHolders(sessions, {
    has: (holder) => holders.has(holder),
    forget: (holder) => void holders.delete(holder),
  })
  const entryOf = (want: ExchangeWant): Entry => {
    if (want.isSession) watch()
    const routes = holders.get(want.holder) ?? new Map<string, Entry>()
    const known = routes.get(want.route)
    if (known?.subject === want.subject.value) return known
    const made: Entry = {
      subject: want.subject.value,
      token: undefined,
      pending: undefined,
      demand: undefined,
    }
    holders.set(want.holder, routes.set(want.route, made))
    return made
  }
  const start = (entry: Entry, want: ExchangeWant): Promise<AccessToken> => {
    if (entry.pending !== undefined) return entry.pending
    const standing = setbacks.standing(keyOf(want))
    if (standing !== undefined)
      return Promise.reject(entry.demand === undefined ? standing : want.stepUp(entry.demand))
    entry.pending = obtain(dependencies, entry, want).finally(() => {
      entry.pending = undefined
    })
    return entry.pending
  }
  return {
    get(want) {
      const entry = entryOf(want)
      return entry.token !== undefined && isUsable(entry.token, now()) ? entry.token : start(entry, want)
    },
    async renew(want, rejected) {
      const entry = entryOf(want)
      if (entry.token?.value === rejected.value) entry.token = undefined
      return entry.token ?? start(entry, want)
    },
  }
}

function keyOf({ holder, route }: ExchangeWant): string {
  return `${holder} exchange ${route}`
}

async function obtain(
  dependencies: ExchangedTokensDependencies,
  entry: Entry,
  want: ExchangeWant,
): Promise<AccessToken> {
  const { setbacks } = dependencies
  const outcome = await exchangePatiently(dependencies, want)
  if (outcome.kind === 'granted') {
    setbacks.clear(keyOf(want))
    entry.demand = undefined
    entry.token = outcome.token
    return outcome.token
  }
  throw explain(dependencies, entry, want, outcome)
}

/** A subject that the provider does not take any more is got anew, once. */
async function exchangePatiently(
  { provider }: ExchangedTokensDependencies,
  { subject, otherSubject, binding, api, exchange }: ExchangeWant,
): Promise<ApiGrantOutcome> {
  const first = await provider.exchange({ subjectToken: subject.value, binding, api, exchange })
  if (first.kind !== 'subject') return first
  const other = await otherSubject(subject)
  return other === undefined || other.value === subject.value
    ? first
    : provider.exchange({ subjectToken: other.value, binding, api, exchange })
}

function explain(
  { setbacks, log }: ExchangedTokensDependencies,
  entry: Entry,
  want: ExchangeWant,
  outcome: Exclude<ApiGrantOutcome, { readonly kind: 'granted' }>,
): GatewayError {
  const facts = { reason: outcome.error, outcome: outcome.kind, route: want.route, ...outcome.facts }
  log[outcome.kind === 'rejected' ? 'error' : 'warn'](facts, 'a token was not exchanged')
  if (outcome.kind === 'interaction') {
    entry.demand = { claims: outcome.claims }
    setbacks.note(keyOf(want), { code: 'step_up_required' }, configurationPausesMs)
    return want.stepUp(entry.demand)
  }
  entry.demand = undefined
  const { code, pausesMs, atLeastMs } = tokenFailure(outcome, 'token_refused')
  return setbacks.note(keyOf(want), { code }, pausesMs, atLeastMs)
}
