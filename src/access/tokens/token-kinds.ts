import type { StepUps } from '../../http/login/step-up.ts'
import { withWayToLogin } from '../../http/login/way-to-login.ts'
import type { AccessToken, ApiAudience } from '../../oidc/tokens/token-set.ts'
import type { AccessTokens } from '../../session/lifecycle/sessions.ts'
import type { SessionView } from '../../session/record/session.ts'
import type { BearerCaller } from '../callers/bearer-callers.ts'
import { bearerRefusal, bearerStepUp } from '../callers/challenges.ts'
import type { AccessRules } from '../rules/rules.ts'
import { type ClientTokens, youngMs } from './client-tokens.ts'
import type { ExchangedTokens, ExchangeWant } from './exchanged-tokens.ts'
import type { MintedTokens } from './minted-tokens.ts'

/** With what token a route's callers go upstream (DESIGN-2 section 6.1). */
export interface TokenKinds {
  /**
   * The session's own access token that the route depends on: it is refreshed when due, and rules are judged by it. `undefined` where a
   * route never looks at the session's tokens.
   */
  subjectOf(sessionId: string, session: SessionView): AccessToken | undefined | Promise<AccessToken>
  /** @param subject from {@link TokenKinds.subjectOf} */
  forSession(
    sessionId: string,
    session: SessionView,
    subject: AccessToken | undefined,
  ): AccessToken | undefined | Promise<AccessToken>
  forBearer(caller: BearerCaller): AccessToken | undefined | Promise<AccessToken>
  forNobody(): AccessToken | undefined | Promise<AccessToken>
  /** After an upstream 401 `invalid_token`: another token, or `undefined` when none would help. */
  renewForSession(
    sessionId: string,
    session: SessionView,
    rejected: AccessToken,
  ): Promise<AccessToken | undefined>
  renewForOthers(caller: BearerCaller | undefined, rejected: AccessToken): Promise<AccessToken | undefined>
}

/** What the kinds need. */
export interface TokenKindsDependencies {
  readonly accessTokens: Pick<AccessTokens, 'get' | 'cure'>
  readonly clientTokens: ClientTokens
  readonly exchangedTokens: ExchangedTokens
  /** `undefined` where no route mints tokens. */
  readonly mintedTokens: MintedTokens | undefined
  readonly stepUps: Pick<StepUps, 'required'>
  readonly now: () => number
}

/** Makes the tokens of a route. */
export function createTokenKinds(rules: AccessRules, dependencies: TokenKindsDependencies): TokenKinds {
  const { accessTokens, clientTokens, exchangedTokens, now } = dependencies
  const subjectAudience = rules.audience ?? rules.loginAudience
  const wantOfSession = (sessionId: string, session: SessionView, subject: AccessToken): ExchangeWant => ({
    ...wantOf(rules),
    holder: session.h,
    isSession: true,
    subject,
    binding: session.binding,
    otherSubject: (rejected) => accessTokens.cure(sessionId, session, subjectAudience, rejected, 0),
    stepUp: (demand) => dependencies.stepUps.required(session, demand, { isSealed: true }),
  })
  const wantOfBearer = (caller: BearerCaller): ExchangeWant => ({
    ...wantOf(rules),
    holder: caller.key,
    isSession: false,
    subject: caller.token,
    otherSubject: async () => undefined,
    stepUp: (demand) => bearerStepUp(rules, demand, 'The provider asks for a stronger or fresher sign-in.'),
  })
  const isYoung = (token: AccessToken): boolean => now() - token.obtainedAtMs < youngMs
  return {
    subjectOf(sessionId, session) {
      if (rules.token === 'client' || rules.token === 'none') return session.access[subjectAudience.key]
      return waited(dependencies, session, accessTokens.get(sessionId, session, subjectAudience))
    },
    forSession(sessionId, session, subject) {
      switch (rules.token) {
        case 'user':
          return subject
        case 'exchange':
          return subject === undefined
            ? undefined
            : exchangedTokens.get(wantOfSession(sessionId, session, subject))
        case 'client':
          return clientTokens.get(apiOf(rules))
        case 'gateway':
          return minterOf(dependencies).forSession(rules, session)
        case 'none':
          return undefined
      }
    },
    forBearer(caller) {
      switch (rules.token) {
        case 'user':
          return passedOn(rules, caller)
        case 'exchange':
          return exchangedTokens.get(wantOfBearer(caller))
        case 'client':
          return clientTokens.get(apiOf(rules))
        case 'gateway':
          return minterOf(dependencies).forBearer(rules, caller)
        case 'none':
          return undefined
      }
    },
    forNobody: () => (rules.token === 'client' ? clientTokens.get(apiOf(rules)) : undefined),
    async renewForSession(sessionId, session, rejected) {
      if (rules.token === 'client') return clientTokens.renew(apiOf(rules), rejected)
      if (rules.token === 'user') return accessTokens.cure(sessionId, session, subjectAudience, rejected)
      if (rules.token !== 'exchange' || isYoung(rejected)) return undefined
      const subject = await accessTokens.get(sessionId, session, subjectAudience)
      return exchangedTokens.renew(wantOfSession(sessionId, session, subject), rejected)
    },
    async renewForOthers(caller, rejected) {
      if (rules.token === 'client') return clientTokens.renew(apiOf(rules), rejected)
      if (rules.token !== 'exchange' || caller === undefined || isYoung(rejected)) return undefined
      return exchangedTokens.renew(wantOfBearer(caller), rejected)
    },
  }
}

/** A token that is waited for; when the provider wants the user first, the failure leads there. */
function waited(
  { stepUps }: TokenKindsDependencies,
  session: SessionView,
  token: AccessToken | Promise<AccessToken>,
): AccessToken | Promise<AccessToken> {
  if (!(token instanceof Promise)) return token
  return token.catch((error: unknown) => {
    throw withWayToLogin(stepUps, session, error)
  })
}

function wantOf(rules: AccessRules): Pick<ExchangeWant, 'route' | 'api' | 'exchange'> {
  return { route: rules.prefix, api: apiOf(rules), exchange: rules.exchange }
}

function apiOf({ api, loginAudience }: AccessRules): ApiAudience {
  return api ?? loginAudience
}

function minterOf({ mintedTokens }: TokenKindsDependencies): MintedTokens {
  if (mintedTokens === undefined)
    throw new TypeError('the configuration lets no minting route through without a key')
  return mintedTokens
}

/** Unchanged to the API; but what is meant for us goes no further, and what we cannot prove possession of would be refused there. */
function passedOn(rules: AccessRules, { facts, token }: BearerCaller): AccessToken {
  if (facts.isForUs) throw bearerRefusal(rules, 'the token is not for this API')
  if (facts.thumbprint !== undefined)
    throw bearerRefusal(rules, 'a token that is bound to a key cannot be passed on to this API')
  return token
}
