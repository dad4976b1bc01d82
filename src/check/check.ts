import { type Admission, authorizationOf } from '../access/admission.ts'
import type { AccessServices } from '../access/context.ts'
import { type Access, createAccess } from '../access/decide.ts'
import { handshakeProblem } from '../access/handshake.ts'
import { type AccessRuleOptions, type AccessRules, createAccessRules } from '../access/rules/rules.ts'
import { ownedPaths } from '../config/endpoints.ts'
import type { RouteConfig } from '../config/routes/route.ts'
import { GatewayError } from '../errors/gateway-error.ts'
import { reportError, toGatewayError } from '../http/answers/error-handler.ts'
import { createCookiePolicy } from '../http/cookies/cookie-policy.ts'
import type { Cookies } from '../http/cookies/cookies.ts'
import { createTrustedNetworks } from '../http/limits/client-address.ts'
import type { Shedder } from '../http/limits/overload.ts'
import { createOutcomeWatch } from '../http/server/request-log.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { type AnswerServices, askAgain, createAnswers, type GrantedCredentials } from './answers.ts'
import { AskedRequest } from './asked-request.ts'
import { type Question, questionLabels } from './question.ts'
import { createRouteChoice } from './route-choice.ts'

/** What the settings say; the configuration fits. */
export interface CheckOptions extends AccessRuleOptions {
  readonly routes: readonly RouteConfig[]
  readonly authPrefix: string
  readonly trustProxy: readonly string[]
}

/** What the check works with: what the decision needs, and what answers are made of. */
export interface CheckServices extends AccessServices, Omit<AnswerServices, 'cookies' | 'baseUrl'> {
  readonly cookies: AccessServices['cookies'] & Pick<Cookies, 'isGatewayCookie'>
  readonly telemetry: Telemetry
  readonly shedder: Pick<Shedder, 'share'>
}

/** Answers another proxy's questions about requests to one frontend (DESIGN-2 section 8). */
export type Check = (question: Question) => void

interface CheckedRoute {
  readonly prefix: string
  readonly config: RouteConfig
  readonly rules: AccessRules
  readonly access: Access
}

/** Makes the check of a frontend: the proxy's own decision, in the mouth of another proxy. */
export function createCheck(options: CheckOptions, services: CheckServices): Check {
  const { telemetry, shedder } = services
  const { tracing } = telemetry
  const choose = createRouteChoice(
    options.routes.map((config): CheckedRoute => {
      const rules = createAccessRules(config, false, options)
      return { prefix: config.prefix, config, rules, access: createAccess(rules, services) }
    }),
    ownedPaths(options.authPrefix),
  )
  const cookies = createCookiePolicy({ forwardCookies: 'all', allowSetCookies: [] }, services.cookies)
  const answers = createAnswers({ ...services, baseUrl: options.baseUrl, cookies })
  const trusted = createTrustedNetworks(options.trustProxy)
  const watch = createOutcomeWatch(telemetry, questionLabels)

  const refuse = (question: Question, asked: AskedRequest, thrown: unknown): void => {
    if (question.response.destroyed) return
    const error = toGatewayError(thrown)
    reportError(telemetry, error, asked.id)
    answers.refuse(question, asked, error)
  }
  const decide = (question: Question, asked: AskedRequest): void => {
    const settle = (route: CheckedRoute, admission: Admission): void => {
      if (question.kind.isRehearsal) refuse(question, asked, askAgain())
      else answers.grant(question, asked, admission, credentialsOf(services, route, asked, admission))
    }
    try {
      expectPlace(shedder)
      const route = choose(asked.raw.url)
      const admission = admit(route, asked, question.kind.isRehearsal)
      if (admission instanceof Promise) {
        admission
          .then((waitedFor) => settle(route, waitedFor))
          .catch((error: unknown) => refuse(question, asked, error))
      } else settle(route, admission)
    } catch (error) {
      refuse(question, asked, error)
    }
  }
  return (question) => {
    const asked = new AskedRequest(question, trusted)
    watch?.(asked, { raw: question.response })
    if (tracing === undefined || asked.span === null) decide(question, asked)
    else tracing.within(asked.span, () => decide(question, asked))
  }
}

/** The token that is due, with the proof that its API is to be shown; else what the browser brought, where that may pass. */
function credentialsOf(
  { proofs }: Pick<CheckServices, 'proofs'>,
  { rules, config }: CheckedRoute,
  { method, headers }: AskedRequest,
  { target, session, token }: Admission,
): GrantedCredentials {
  if (token === undefined)
    return {
      authorization: config.forwardAuthorization ? headers.authorization : undefined,
      proof: undefined,
    }
  const proof = proofs.proofFor(rules.proof, { method, target, session }, token)
  return { authorization: authorizationOf(token, proof), proof }
}

/** @throws GatewayError what the proxy would refuse it with as well */
function admit(
  { access, config }: CheckedRoute,
  asked: AskedRequest,
  isRehearsal: boolean,
): Admission | Promise<Admission> {
  const { isWebSocket } = asked
  const problem = isWebSocket ? handshakeProblem(asked, false, config.websocket) : undefined
  if (problem !== undefined) throw problem
  return access.admit(asked, isWebSocket, isRehearsal)
}

/** @throws GatewayError `overloaded` while the event loop is late */
function expectPlace(shedder: Pick<Shedder, 'share'>): void {
  const share = shedder.share()
  if (share > 0 && Math.random() < share) throw new GatewayError('overloaded')
}
