import { GatewayError } from '../errors/gateway-error.ts'
import type { Cookies } from '../http/cookies/cookies.ts'
import type { DeviceGuard } from '../http/device/device-guard.ts'
import type { CsrfPolicy } from '../http/guards/csrf-guard.ts'
import type { AddressLimits } from '../http/limits/address-limits.ts'
import type { AccessToken } from '../oidc/tokens/token-set.ts'
import type { AccessTokens, Sessions } from '../session/lifecycle/sessions.ts'
import type { SessionView } from '../session/record/session.ts'
import type { Admission } from './admission.ts'
import { type AccessRequest, checkRequest } from './request.ts'
import type { AccessRules } from './rules.ts'

/** What the decision asks. */
export interface AccessServices {
  readonly sessions: Pick<Sessions, 'find' | 'touch'>
  readonly accessTokens: Pick<AccessTokens, 'get'>
  readonly cookies: Pick<Cookies, 'readSession'>
  /** The gateway's CSRF rule (DESIGN section 2.4). */
  readonly csrf: CsrfPolicy
  /** `undefined` where sessions are not bound to devices. */
  readonly device: DeviceGuard | undefined
  readonly limits: Pick<AddressLimits, 'admitLookup' | 'noteLive' | 'countMiss'>
}

/** The decision for one route, whoever asks: the proxy for a request or a handshake, or another proxy through us. */
export interface Access {
  /**
   * Who calls, whether they may, and with what token. Cheap refusals come first, and with a cached session and a usable token no
   * promise is made. A refusal is thrown or rejected with, as a `GatewayError`.
   */
  admit(request: AccessRequest, isWebSocket: boolean): Admission | Promise<Admission>
}

/** Makes the decision of a route. */
export function createAccess(rules: AccessRules, services: AccessServices): Access {
  return {
    admit(request, isWebSocket) {
      const target = checkRequest(request, rules, services.csrf, isWebSocket)
      return rules.isGuarded ? authorize(request, rules, services, target) : admission(target)
    },
  }
}

function authorize(
  request: AccessRequest,
  rules: AccessRules,
  services: AccessServices,
  target: string,
): Admission | Promise<Admission> {
  const sessionId = services.cookies.readSession(request.headers.cookie)
  if (sessionId === undefined) return admitAnonymous(request, rules, services, target, 'session_missing')
  services.limits.admitLookup(request, sessionId)
  const found = services.sessions.find(sessionId)
  if (found instanceof Promise) {
    return found.then((view) => {
      if (view !== undefined) services.limits.noteLive(view.h)
      return admitSession(request, rules, services, target, sessionId, view)
    })
  }
  return admitSession(request, rules, services, target, sessionId, found)
}

function admitSession(
  request: AccessRequest,
  rules: AccessRules,
  services: AccessServices,
  target: string,
  sessionId: string,
  session: SessionView | undefined,
): Admission | Promise<Admission> {
  if (session === undefined) return admitAnonymous(request, rules, services, target, 'session_expired')
  request.caller = session
  services.device?.check(sessionId, session, request.headers)
  services.sessions.touch(session)
  const { audience } = rules
  if (audience === undefined) return admission(target, sessionId, session)
  const token = services.accessTokens.get(sessionId, session, audience)
  if (token instanceof Promise) {
    return token.then((waitedFor) => admission(target, sessionId, session, waitedFor))
  }
  return admission(target, sessionId, session, token)
}

function admitAnonymous(
  request: AccessRequest,
  rules: AccessRules,
  { limits }: AccessServices,
  target: string,
  code: 'session_missing' | 'session_expired',
): Admission {
  if (rules.auth !== 'optional') throw limits.countMiss(request) ?? new GatewayError(code)
  return admission(target)
}

function admission(
  target: string,
  sessionId?: string,
  session?: SessionView,
  token?: AccessToken,
): Admission {
  return { target, sessionId, session, token }
}
