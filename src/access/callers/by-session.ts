import { GatewayError } from '../../errors/gateway-error.ts'
import { withWayToLogin } from '../../http/login/way-to-login.ts'
import type { AccessToken } from '../../oidc/tokens/token-set.ts'
import type { SessionView } from '../../session/record/session.ts'
import type { Admission } from '../admission.ts'
import type { AccessContext, KnownSession } from '../context.ts'
import type { AccessRequest } from '../request.ts'

/** The way of browsers: the session of the cookie. */
export function admitBySession(
  request: AccessRequest,
  context: AccessContext,
  target: string,
): Admission | Promise<Admission> {
  const { services } = context
  const sessionId = services.cookies.readSession(request.headers.cookie)
  if (sessionId === undefined) return admitAnonymous(request, context, target, 'session_missing')
  services.limits.admitLookup(request, sessionId)
  const found = services.sessions.find(sessionId)
  if (found instanceof Promise) {
    return found.then((view) => {
      if (view !== undefined) services.limits.noteLive(view.h)
      return admitSession(request, context, target, sessionId, view)
    })
  }
  return admitSession(request, context, target, sessionId, found)
}

function admitSession(
  request: AccessRequest,
  context: AccessContext,
  target: string,
  sessionId: string,
  session: SessionView | undefined,
): Admission | Promise<Admission> {
  if (session === undefined) return admitAnonymous(request, context, target, 'session_expired')
  const { rules, services } = context
  request.caller = session
  const provenUntilMs = services.device?.check(sessionId, session, request.headers)
  services.sessions.touch(session)
  if (!rules.isPlain) return context.judgement.admitSession(target, { sessionId, session, provenUntilMs })
  const { audience } = rules
  const known = { sessionId, session, provenUntilMs }
  if (audience === undefined) return admission(target, known)
  const token = services.accessTokens.get(sessionId, session, audience)
  if (token instanceof Promise) {
    return token.then(
      (waitedFor) => admission(target, known, waitedFor),
      (error: unknown) => {
        throw withWayToLogin(services.stepUps, session, error)
      },
    )
  }
  return admission(target, known, token)
}

/** @param code what is answered where a session is needed */
export function admitAnonymous(
  request: AccessRequest,
  { rules, services, judgement }: AccessContext,
  target: string,
  code: 'session_missing' | 'session_expired',
): Admission | Promise<Admission> {
  if (rules.auth !== 'optional') {
    const why = services.cookies.explainMissing(request.headers.cookie)
    throw services.limits.countMiss(request) ?? new GatewayError(code, why)
  }
  return rules.isPlain ? admission(target) : judgement.admitAnonymous(target)
}

/** An admission that nothing but a session and its token has part in. */
export function admission(target: string, known?: KnownSession, token?: AccessToken): Admission {
  return {
    target,
    sessionId: known?.sessionId,
    session: known?.session,
    bearer: undefined,
    token,
    identityHeaders: undefined,
    freshUntilMs: undefined,
    provenUntilMs: known?.provenUntilMs,
  }
}
