import { GatewayError } from '../../errors/gateway-error.ts'
import type { Admission } from '../admission.ts'
import type { AccessContext, AskOptions } from '../context.ts'
import { type AccessRequest, expectOurOrigin, originRefusal } from '../request.ts'
import { admitAnonymous, admitBySession } from './by-session.ts'
import { bearerMissing, bearerRefusal, sessionMissing } from './challenges.ts'
import { type Credentials, credentialsOf } from './credentials.ts'

/**
 * Who calls a route that takes tokens (DESIGN-2 section 6.2). The guard is spared only who has brought a token, which no page of
 * another site can, and who is answered 401 anyway.
 */
export function admitCaller(
  request: AccessRequest,
  context: AccessContext,
  target: string,
  options: AskOptions,
): Admission | Promise<Admission> {
  const { rules, services } = context
  const { headers, raw } = request
  const credentials = credentialsOf(headers, raw.rawHeaders, services.cookies.isGatewayCookie)
  switch (credentials.kind) {
    case 'bearer':
      return admitBearer(request, context, target, credentials, options)
    case 'unreadable':
      throw (
        services.limits.countMiss(request) ?? bearerRefusal(rules, 'the Authorization header cannot be read')
      )
    case 'ambiguous':
      expectOurOrigin(request, services.csrf, options.isWebSocket)
      throw new GatewayError('ambiguous_credentials')
    case 'cookie':
      return admitWithoutToken(request, context, target, options)
  }
}

function admitBearer(
  request: AccessRequest,
  { judgement }: AccessContext,
  target: string,
  credentials: Extract<Credentials, { readonly kind: 'bearer' }>,
  options: AskOptions,
): Admission | Promise<Admission> {
  const caller = judgement.bearers.find(request, credentials.untrustedToken)
  if (caller instanceof Promise) {
    return caller.then((found) => judgement.admitBearer(request, target, found, credentials.scheme, options))
  }
  return judgement.admitBearer(request, target, caller, credentials.scheme, options)
}

function admitWithoutToken(
  request: AccessRequest,
  context: AccessContext,
  target: string,
  { isWebSocket }: AskOptions,
): Admission | Promise<Admission> {
  const { rules, services } = context
  const takesSessions = rules.callers.includes('session')
  const hasSession = takesSessions && services.cookies.readSession(request.headers.cookie) !== undefined
  if (!hasSession && rules.auth !== 'optional') throw nobody(request, context, takesSessions, isWebSocket)
  expectOurOrigin(request, services.csrf, isWebSocket)
  return hasSession
    ? admitBySession(request, context, target)
    : admitAnonymous(request, context, target, 'session_missing')
}

/** A page of ours is told where to sign in, a machine where to get a token. */
function nobody(
  request: AccessRequest,
  { rules, services }: AccessContext,
  takesSessions: boolean,
  isWebSocket: boolean,
): GatewayError {
  const limited = services.limits.countMiss(request)
  if (limited !== undefined) return limited
  const isOurPage = takesSessions && originRefusal(request, services.csrf, isWebSocket) === undefined
  if (!isOurPage) return bearerMissing(rules)
  return sessionMissing(rules, services.loginUrl, services.cookies.explainMissing(request.headers.cookie))
}
