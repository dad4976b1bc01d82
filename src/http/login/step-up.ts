import { GatewayError, type GatewayErrorOptions } from '../../errors/gateway-error.ts'
import { demandKey } from '../../oidc/login/demand.ts'
import { acrOf } from '../../oidc/login/demands.ts'
import type { LoginDemand } from '../../oidc/provider/provider.ts'
import type { Sealer } from '../../sealing/sealer.ts'
import type { SessionView } from '../../session/record/session.ts'

/** What a login must prove before somebody goes on: an API, a route's rule or the provider says so (DESIGN-2 section 7). */
export type StepUpDemand = LoginDemand

/** A demand on its way through the browser. */
interface Handle {
  /** The session that it was made to. */
  readonly h: string
  readonly demand: StepUpDemand
  /** The same was demanded and met a moment ago. */
  readonly isRepeated: boolean
  readonly expiresAtMs: number
}

/** What is known of the session that has to be strengthened. */
export type StepUpSession = Pick<SessionView, 'h' | 'createdAtMs' | 'lastDemand'>

/** Turns demands into addresses of `/login`, and back. */
export interface StepUps {
  /**
   * The answer that leads to the login which can satisfy a demand. What must not be forged travels sealed.
   *
   * @param isSealed seal it even where a link could say it, because only what is sealed counts as an answer to a demand
   */
  required(
    session: StepUpSession,
    demand: StepUpDemand,
    options?: GatewayErrorOptions & { readonly isSealed?: boolean },
  ): GatewayError
  /**
   * Opens the `stepUp` of a link.
   *
   * @param seenH hash of the session that came with the request
   * @throws GatewayError `request_invalid` when it is none, too old or another session's; `step_up_required` when the same demand was met a
   *   moment ago, so that another login would not help
   */
  open(untrustedHandle: string, seenH: string | undefined): StepUpDemand
}

/** What step-ups need. */
export interface StepUpDependencies {
  readonly sealer: Pick<Sealer, 'seal' | 'open'>
  /** The path of `/login`. */
  readonly loginUrl: string
  /** `LOGIN_PARAMETERS`: what a plain link can say. */
  readonly loginParameters: readonly string[]
  /** `AUTHORIZATION_PARAMETERS`: against what the operator has fixed a plain link says nothing. */
  readonly authorizationParameters: Readonly<Record<string, string>>
  /** `CLAIMS`: the same, where it fixes an `acr`. */
  readonly fixedClaims?: string | undefined
  readonly now: () => number
}

/** Life of a handle: as long as a login may take; milliseconds. */
const handleLifeMs = 600_000
/** A demand in equal words so soon after the login that met it will not be met by another login; milliseconds. */
const repetitionMs = 600_000
/** Nothing is fresher than this: a request that follows a sign-in is on its way so long; milliseconds. */
const leastFreshMs = 5_000
const context = 'step-up'

/** Makes the step-ups of a gateway. */
export function createStepUps({ sealer, now, ...rules }: StepUpDependencies): StepUps {
  const seal = (handle: Handle): string =>
    sealer.seal('step-up', context, Buffer.from(JSON.stringify(handle))).toString('base64url')
  return {
    required(session, demand, { isSealed = false, ...options } = {}) {
      const isRepeated = wasJustMet(session, demand, now())
      const query = plainQuery(demand)
      // A plain link without words would be any login, and the demand never known for the same.
      if (isSealed || isRepeated || query.size === 0 || needsSeal(demand, rules)) {
        query.set('stepUp', seal({ h: session.h, demand, isRepeated, expiresAtMs: now() + handleLifeMs }))
      }
      const loginUrl = query.size === 0 ? rules.loginUrl : `${rules.loginUrl}?${query}`
      return new GatewayError('step_up_required', {
        ...options,
        extensions: { ...options.extensions, loginUrl },
      })
    },
    open(untrustedHandle, seenH) {
      const handle = openHandle(sealer, untrustedHandle)
      if (handle === undefined || handle.h !== seenH || now() >= handle.expiresAtMs) throw handleInvalid()
      if (handle.isRepeated) throw notMet()
      return handle.demand
    },
  }
}

function plainQuery({ acrValues, maxAge }: StepUpDemand): URLSearchParams {
  const query = new URLSearchParams()
  if (acrValues !== undefined) query.set('acr_values', acrValues)
  if (maxAge !== undefined) query.set('max_age', maxAge)
  return query
}

function needsSeal(
  { acrValues, maxAge, claims }: StepUpDemand,
  {
    loginParameters,
    authorizationParameters,
    fixedClaims,
  }: Pick<StepUpDependencies, 'loginParameters' | 'authorizationParameters' | 'fixedClaims'>,
): boolean {
  if (acrValues !== undefined && acrOf(fixedClaims) !== undefined) return true
  const isSayable = (name: string, value: string | undefined): boolean =>
    value === undefined || (loginParameters.includes(name) && authorizationParameters[name] === undefined)
  return claims !== undefined || !isSayable('acr_values', acrValues) || !isSayable('max_age', maxAge)
}

/** The session began with the login that met these very words, and nothing that passes with time was asked. */
function wasJustMet(session: StepUpSession, demand: StepUpDemand, nowMs: number): boolean {
  if (session.lastDemand !== demandKey(demand)) return false
  const ageMs = nowMs - session.createdAtMs
  const freshMs = Math.max(Number(demand.maxAge ?? Number.POSITIVE_INFINITY) * 1_000, leastFreshMs)
  return ageMs < Math.min(repetitionMs, freshMs)
}

function openHandle(sealer: Pick<Sealer, 'open'>, untrustedHandle: string): Handle | undefined {
  const untrusted = Buffer.from(untrustedHandle, 'base64url')
  if (untrusted.toString('base64url') !== untrustedHandle) return undefined
  const opened = sealer.open('step-up', context, untrusted)
  // Authenticated, so it has the shape that this very code gave it.
  return opened === undefined ? undefined : (JSON.parse(opened.bytes.toString()) as Handle)
}

function handleInvalid(): GatewayError {
  return new GatewayError('request_invalid', {
    detail:
      'This link to a stronger sign-in is too old, or was made for another session. Go back to the application and try again.',
  })
}

function notMet(): GatewayError {
  return new GatewayError('step_up_required', {
    detail:
      'You have just signed in in the way that was asked for, and the same is asked for again. Signing in once more would not help; the operator of this application has to look into it.',
  })
}
