import { textOf } from '../../basics/text.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { StepUps } from '../../http/login/step-up.ts'
import type { Provider } from '../../oidc/provider/provider.ts'
import type { AccessToken } from '../../oidc/tokens/token-set.ts'
import type { Claims } from '../../oidc/verification/claims.ts'
import type { SessionView } from '../../session/record/session.ts'
import type { BearerCaller } from '../callers/bearer-callers.ts'
import { bearerForbidden, bearerStepUp } from '../callers/challenges.ts'
import { identityHeaders } from './identity-headers.ts'
import { describeRequirement, judge, type Verdict } from './require.ts'
import type { AccessRules } from './rules.ts'

/** What a route knows of a caller, once judged: kept as long as neither token nor identity changes. */
export interface Standing {
  readonly verdict: Verdict
  readonly headers: readonly string[] | undefined
}

/** Judges callers of one route. */
export interface Standings {
  /** @param token the session's access token that the rule is judged by, if there is one */
  ofSession(session: SessionView, token: AccessToken | undefined): Standing | Promise<Standing>
  ofBearer(caller: BearerCaller): Standing
  /** @throws GatewayError `forbidden`, `step_up_required` */
  expectSession(standing: Standing, session: SessionView): void
  /** @throws GatewayError `forbidden`, `step_up_required` */
  expectBearer(standing: Standing): void
}

/** What judging needs. */
export interface StandingDependencies {
  readonly provider: Pick<Provider, 'readVerifiedClaims'>
  readonly stepUps: Pick<StepUps, 'required'>
  readonly now: () => number
}

interface Judged extends Standing {
  readonly token: AccessToken | undefined
}

const met: Verdict = { kind: 'met', untilMs: Number.POSITIVE_INFINITY }
const noClaims: Claims = {}

/** Makes the judge of a route. */
export function createStandings(rules: AccessRules, dependencies: StandingDependencies): Standings {
  const { stepUps, now } = dependencies
  const { require } = rules
  const sessions = new WeakMap<SessionView, Judged>()
  const bearers = new WeakMap<BearerCaller, Standing>()
  const detail = require === undefined ? '' : describeRequirement(require)

  const verdictOf = (facts: Parameters<typeof judge>[1]): Verdict =>
    require === undefined ? met : judge(require, facts, now())
  const isCurrent = ({ verdict }: Standing): boolean => verdict.kind !== 'met' || now() < verdict.untilMs
  const judgeSession = (
    session: SessionView,
    token: AccessToken | undefined,
    accessToken: Claims,
  ): Standing => {
    const identity = session.identity?.claims ?? noClaims
    const { acr, authTimeSeconds } = session.identity ?? {}
    const verdict = verdictOf({ identity, accessToken, acr, authTimeSeconds })
    const judged = { token, verdict, headers: headersOf(rules, identity) }
    sessions.set(session, judged)
    return judged
  }
  return {
    ofSession(session, token) {
      const known = sessions.get(session)
      if (known !== undefined && known.token === token && isCurrent(known)) return known
      if (!rules.readsAccessToken || token === undefined) return judgeSession(session, token, noClaims)
      if (token.claims !== undefined) return judgeSession(session, token, token.claims)
      const audience = rules.audience ?? rules.loginAudience
      return dependencies.provider
        .readVerifiedClaims(token.value, audience)
        .then((claims) => judgeSession(session, token, claims))
    },
    ofBearer(caller) {
      const known = bearers.get(caller)
      if (known !== undefined && isCurrent(known)) return known
      const { claims } = caller
      const standing = {
        verdict: verdictOf({
          identity: claims,
          accessToken: claims,
          acr: textOf(claims.acr),
          authTimeSeconds: numberOf(claims.auth_time),
        }),
        headers: headersOf(rules, claims),
      }
      bearers.set(caller, standing)
      return standing
    },
    expectSession({ verdict }, session) {
      if (verdict.kind === 'forbidden') throw new GatewayError('forbidden', { detail })
      if (verdict.kind === 'step_up') throw stepUps.required(session, verdict.demand, { detail })
    },
    expectBearer({ verdict }) {
      if (verdict.kind === 'forbidden') throw bearerForbidden(rules, scopeOf(rules), detail)
      if (verdict.kind === 'step_up') throw bearerStepUp(rules, verdict.demand, detail)
    },
  }
}

function headersOf({ identityHeaders: names }: AccessRules, claims: Claims): readonly string[] | undefined {
  return names.length === 0 ? undefined : identityHeaders(names, claims)
}

/** What a client would have to ask the provider for. */
function scopeOf({ require }: AccessRules): string | undefined {
  const scopes = (require?.claims ?? [])
    .filter(({ claim }) => claim === 'scope')
    .flatMap(({ values }) => values)
  return scopes.length === 0 ? undefined : scopes.join(' ')
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}
