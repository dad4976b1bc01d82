import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { upstreamTarget } from '../../access/target.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { Cookies } from '../../http/cookies/cookies.ts'
import { type CsrfPolicy, csrfError, csrfRefusal, handshakeRefusal } from '../../http/guards/csrf-guard.ts'
import type { AddressLimits } from '../../http/limits/address-limits.ts'
import type { AccessToken } from '../../oidc/tokens/token-set.ts'
import type { AccessTokens, Sessions } from '../../session/lifecycle/sessions.ts'
import type { SessionView } from '../../session/record/session.ts'
import type { ProxyRoute } from '../routes/proxy-route.ts'
import { isUpgrade } from '../websocket/upgrade.ts'

/** What the guard of a route asks. */
export interface GuardServices {
  readonly sessions: Pick<Sessions, 'find' | 'touch'>
  readonly accessTokens: Pick<AccessTokens, 'get'>
  readonly cookies: Pick<Cookies, 'readSession'>
  /** The gateway's CSRF rule (DESIGN section 2.4). */
  readonly csrf: CsrfPolicy
  readonly limits: Pick<AddressLimits, 'admitLookup' | 'noteLive' | 'countMiss'>
}

type Guard = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void

/**
 * The one hook of a proxied route, which decides everything before a byte goes upstream; it runs in the route's own scope, so
 * that it and the router can never disagree. Cheap refusals come first, and with a cached session and a usable token no
 * promise is made.
 */
export function createGuard(route: ProxyRoute, services: GuardServices): Guard {
  return (request, _reply, done) => {
    const refuse = (error: unknown): void => {
      done(error instanceof Error ? error : new GatewayError('internal_error'))
    }
    try {
      const target = checkRequest(request, route, services)
      const settled = route.isGuarded ? authorize(request, route, services, target) : admit(request, target)
      if (settled instanceof Promise) settled.then(() => done(), refuse)
      else done()
    } catch (error) {
      refuse(error)
    }
  }
}

/** What can be said without a session. Returns the upstream's target. */
function checkRequest(request: FastifyRequest, route: ProxyRoute, services: GuardServices): string {
  const target = upstreamTarget(request.raw.url ?? '', route.target)
  if (target === undefined) throw new GatewayError('request_target_rejected')
  if (!route.methods.has(request.method)) {
    throw new GatewayError('method_not_allowed', { headers: { allow: route.allow } })
  }
  const { headers } = request
  if (headers['service-worker'] !== undefined && !route.isApp) throw serviceWorkerRefused()
  if (Number(headers['content-length'] ?? 0) > route.config.bodyLimitBytes) {
    throw new GatewayError('payload_too_large')
  }
  if (route.isGuarded) checkOrigin(request, services.csrf)
  return target
}

/** A worker from an API's path would control part of our origin, whatever the API means by it. */
function serviceWorkerRefused(): GatewayError {
  return new GatewayError('request_invalid', { detail: 'A service worker cannot be loaded from here.' })
}

function checkOrigin(request: FastifyRequest, policy: CsrfPolicy): void {
  const refusal = (isUpgrade(request.raw) ? handshakeRefusal : csrfRefusal)(request.headers, policy)
  if (refusal !== undefined) throw csrfError(refusal)
}

function authorize(
  request: FastifyRequest,
  route: ProxyRoute,
  services: GuardServices,
  target: string,
): void | Promise<void> {
  const sessionId = services.cookies.readSession(request.headers.cookie)
  if (sessionId === undefined) return admitAnonymous(request, route, services, target, 'session_missing')
  services.limits.admitLookup(request, sessionId)
  const found = services.sessions.find(sessionId)
  if (found instanceof Promise) {
    return found.then((view) => {
      if (view !== undefined) services.limits.noteLive(view.h)
      return admitSession(request, route, services, target, sessionId, view)
    })
  }
  return admitSession(request, route, services, target, sessionId, found)
}

function admitSession(
  request: FastifyRequest,
  route: ProxyRoute,
  services: GuardServices,
  target: string,
  sessionId: string,
  session: SessionView | undefined,
): void | Promise<void> {
  if (session === undefined) return admitAnonymous(request, route, services, target, 'session_expired')
  request.caller = session
  services.sessions.touch(session)
  const { audience } = route
  if (audience === undefined) return admit(request, target, sessionId, session)
  const token = services.accessTokens.get(sessionId, session, audience)
  if (token instanceof Promise) {
    return token.then((waitedFor) => admit(request, target, sessionId, session, waitedFor))
  }
  return admit(request, target, sessionId, session, token)
}

function admitAnonymous(
  request: FastifyRequest,
  route: ProxyRoute,
  { limits }: GuardServices,
  target: string,
  code: 'session_missing' | 'session_expired',
): void {
  if (route.config.auth !== 'optional') throw limits.countMiss(request) ?? new GatewayError(code)
  admit(request, target)
}

function admit(
  request: FastifyRequest,
  target: string,
  sessionId?: string,
  session?: SessionView,
  token?: AccessToken,
): void {
  request.admission = { target, sessionId, session, token }
}
