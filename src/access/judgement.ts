import { GatewayError } from '../errors/gateway-error.ts'
import type { Admission } from './admission.ts'
import { createBearerCallers } from './callers/bearer-callers.ts'
import { expectPossession } from './callers/proofs.ts'
import type { AccessServices, Judgement } from './context.ts'
import { goOn } from './go-on.ts'
import type { AccessRules } from './rules/rules.ts'
import { createStandings, type Standing } from './rules/standing.ts'
import { createTokenKinds } from './tokens/token-kinds.ts'

const nobody = {
  sessionId: undefined,
  session: undefined,
  bearer: undefined,
  token: undefined,
  identityHeaders: undefined,
  freshUntilMs: undefined,
  provenUntilMs: undefined,
} as const

/** Makes the judgement of a route. */
export function createJudgement(rules: AccessRules, services: AccessServices): Judgement {
  const { now } = services
  const kinds = createTokenKinds(rules, services)
  const standings = createStandings(rules, services)
  const bearers = createBearerCallers(rules, services)
  const check = { rules, usedProofs: services.usedProofs, now }

  return {
    bearers,
    admitSession(target, { sessionId, session, provenUntilMs }) {
      return goOn(kinds.subjectOf(sessionId, session), (subject) =>
        goOn(standings.ofSession(session, subject), (standing) => {
          standings.expectSession(standing, session)
          return goOn(kinds.forSession(sessionId, session, subject), (token) => ({
            ...nobody,
            target,
            sessionId,
            session,
            token,
            provenUntilMs,
            ...told(standing),
          }))
        }),
      )
    },
    admitBearer(request, target, caller, scheme, { isRehearsal }) {
      request.caller = caller.reference
      expectPossession(check, request, caller, scheme, !isRehearsal)
      const standing = standings.ofBearer(caller)
      standings.expectBearer(standing)
      return goOn(kinds.forBearer(caller), (token) => ({
        ...nobody,
        target,
        bearer: caller,
        token,
        ...told(standing),
      }))
    },
    admitNobody: (target) => goOn(kinds.forNobody(), (token) => ({ ...nobody, target, token })),
    admitAnonymous(target) {
      // Nobody meets a rule that everybody who is known has to meet.
      if (rules.require !== undefined) throw new GatewayError('session_missing')
      return { ...nobody, target }
    },
    async renew({ sessionId, session, bearer }, rejected) {
      if (sessionId === undefined || session === undefined) return kinds.renewForOthers(bearer, rejected)
      const token = await kinds.renewForSession(sessionId, session, rejected)
      // A token that replaces the judged one is judged like it.
      if (token !== undefined && rules.token === 'user')
        standings.expectSession(await standings.ofSession(session, token), session)
      return token
    },
    async stillMeets(sessionId, session) {
      if (rules.require === undefined) return true
      try {
        const standing = await standings.ofSession(session, await kinds.subjectOf(sessionId, session))
        return standing.verdict.kind === 'met'
      } catch {
        // A provider that does not answer takes nobody's rights away.
        return true
      }
    },
  }
}

function told({ verdict, headers }: Standing): Pick<Admission, 'identityHeaders' | 'freshUntilMs'> {
  return {
    identityHeaders: headers,
    freshUntilMs: verdict.kind === 'met' ? verdict.untilMs : 0,
  }
}
