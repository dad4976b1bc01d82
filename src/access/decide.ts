import type { AccessToken } from '../oidc/tokens/token-set.ts'
import type { SessionView } from '../session/record/session.ts'
import type { Admission } from './admission.ts'
import { admission, admitBySession } from './callers/by-session.ts'
import { admitCaller } from './callers/callers.ts'
import type { AccessContext, AccessServices } from './context.ts'
import { createJudgement } from './judgement.ts'
import { type AccessRequest, checkForm, expectOurOrigin } from './request.ts'
import type { AccessRules } from './rules/rules.ts'

/** The decision for one route, whoever asks: the proxy for a request or a handshake, or another proxy through us. */
export interface Access {
  /**
   * Who calls, whether they may, and with what token. Cheap refusals come first, and with a cached session and a usable token no
   * promise is made. A refusal is thrown or rejected with, as a `GatewayError`.
   *
   * @param isWebSocket the request is a handshake, for which the guard has a rule of its own
   * @param isRehearsal the question is only asked: a caller's proof of possession stays usable
   */
  admit(request: AccessRequest, isWebSocket: boolean, isRehearsal?: boolean): Admission | Promise<Admission>
  /**
   * After an upstream 401 `invalid_token`: another token than the one that was sent, for the same caller and judged by the same rule;
   * `undefined` when none would help.
   */
  renew(admission: Admission, rejected: AccessToken): Promise<AccessToken | undefined>
  /** Whether a session that has changed still meets the route's rule; for what stays open. Never throws for a fault of ours. */
  stillMeets(sessionId: string, session: SessionView): Promise<boolean>
}

/** Makes the decision of a route. */
export function createAccess(rules: AccessRules, services: AccessServices): Access {
  const context: AccessContext = { rules, services, judgement: createJudgement(rules, services) }
  return {
    admit(request, isWebSocket, isRehearsal = false) {
      const target = checkForm(request, rules)
      if (!rules.isGuarded) return admitAnybody(request, context, target, isWebSocket)
      if (rules.callers.includes('bearer'))
        return admitCaller(request, context, target, { isWebSocket, isRehearsal })
      expectOurOrigin(request, services.csrf, isWebSocket)
      return admitBySession(request, context, target)
    },
    renew: (admission, rejected) => context.judgement.renew(admission, rejected),
    stillMeets: (sessionId, session) => context.judgement.stillMeets(sessionId, session),
  }
}

const safeMethods = new Set(['GET', 'HEAD'])

/** Nobody is asked for; but with rights of ours nobody else's page may do more than read. */
function admitAnybody(
  request: AccessRequest,
  { rules, services, judgement }: AccessContext,
  target: string,
  isWebSocket: boolean,
): Admission | Promise<Admission> {
  if (rules.isPlain) return admission(target)
  if (isWebSocket || !safeMethods.has(request.method)) expectOurOrigin(request, services.csrf, isWebSocket)
  return judgement.admitNobody(target)
}
