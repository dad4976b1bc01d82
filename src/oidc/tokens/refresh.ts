import { setTimeout as sleep } from 'node:timers/promises'
import { decodeJwt, type JWTPayload } from 'jose'
import { refreshTokenGrant } from 'openid-client'
import { textOf } from '../../basics/text.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import { audienceParameters } from '../login/login.ts'
import type { ProviderContext } from '../provider/context.ts'
import { errorDetails } from '../provider/failures/error-details.ts'
import { classifyFailure, type ProviderFailure } from '../provider/failures/provider-error.ts'
import type { RefreshOutcome } from '../provider/provider.ts'
import { withNonce } from '../provider/proving.ts'
import { withVerifiedClaims } from '../verification/access-token-claims.ts'
import type { Claims } from '../verification/claims.ts'
import { type IdTokenRules, verifyIdToken } from '../verification/id-token.ts'
import { refreshedIdentity, sessionExpiryOf } from '../verification/identity.ts'
import { dpopKeyOf, expectedBy, newBinding, possessionOf } from './binding.ts'
import { beginTokenExchange, type TokenExchange } from './code-grant.ts'
import { explained } from './explained.ts'
import {
  type ApiToken,
  bringsTokens,
  readApiToken,
  readRefreshToken,
  revocableToken,
  type UntrustedTokenResponse,
} from './token-response.ts'
import type { ApiAudience, Identity, TokenBinding } from './token-set.ts'
import { askUserinfo } from './userinfo.ts'

/** Input of {@link refresh}. */
export interface RefreshRequest {
  readonly refreshToken: string
  readonly identity: Identity
  readonly audience: ApiAudience
  /** The ID token that is held: its nonce is the login's. */
  readonly idToken?: string | undefined
  /** What the session's tokens are bound to, by its record: the setting may be another by now. */
  readonly binding?: TokenBinding | undefined
  /** How long the answer is waited for, milliseconds; as long as it may be worth something unless said otherwise. */
  readonly deadlineMs?: number
}

/** A refreshed ID token may keep the `iat` of an earlier one. */
function rulesOf({ idToken }: RefreshRequest): IdTokenRules {
  return { use: { kind: 'refresh' }, oldestSeconds: 86_400, nonce: nonceOf(idToken), nonceIsOptional: true }
}

/** It was verified when it came. */
function nonceOf(idToken: string | undefined): string | undefined {
  try {
    return idToken === undefined ? undefined : textOf(decodeJwt(idToken).nonce)
  } catch {
    return undefined
  }
}

/** Waits between attempts to get the keys that verify a refreshed ID token, milliseconds; all within the provider's timeout. */
const keyRetriesMs = [100, 300, 600]

/** Whoever waits is sent away earlier. But an answer may hold the only refresh token that still works, however late it comes; milliseconds. */
const longestExchangeMs = 60_000

/** One refresh grant (RFC 6749 section 6, OpenID Connect Core section 12) for one API; every answer is an outcome, nothing is thrown. */
export async function refresh(context: ProviderContext, request: RefreshRequest): Promise<RefreshOutcome> {
  let exchange: TokenExchange | undefined
  try {
    const call = {
      possession: possessionOf(request.binding),
      deadlineMs: request.deadlineMs ?? longestExchangeMs,
    }
    const { configuration, answer } = await beginTokenExchange(context.client, call)
    exchange = { configuration, answer }
    await withNonce(() =>
      refreshTokenGrant(configuration, request.refreshToken, {
        ...context.options.tokenParameters,
        ...audienceParameters(request.audience),
        ...(request.audience.scope === undefined ? {} : { scope: request.audience.scope }),
      }),
    )
    return await judge(context, request, answer())
  } catch (error) {
    const response = exchange?.answer() ?? {}
    const cause = await explained(
      context,
      error,
      response,
      rulesOf(request),
      expectedBy(context, request.binding),
    )
    return withDemand(failedRefresh(classifyFailure(cause, 'refresh'), response), errorDetails(error).claims)
  }
}

/** What the user has to do before there are tokens again, where the provider says it. */
function withDemand(outcome: RefreshOutcome, claims: string | undefined): RefreshOutcome {
  return outcome.kind === 'refused' && claims !== undefined ? { ...outcome, claims } : outcome
}

function failedRefresh(failure: ProviderFailure, response: UntrustedTokenResponse): RefreshOutcome {
  if (failure.kind !== 'invalid') return failure
  // Neither tokens nor an error: no provider's answer, so nothing is known of the grant, and a session must not end by it.
  if (!bringsTokens(response))
    return { ...failure, kind: 'unavailable', cause: 'transport', retryAfterSeconds: undefined }
  // The old refresh token is spent by now: whatever has failed, a new one must not be lost.
  return { ...failure, obtainedRefreshToken: revocableToken(response) }
}

async function judge(
  context: ProviderContext,
  request: RefreshRequest,
  response: UntrustedTokenResponse,
): Promise<RefreshOutcome> {
  const api = readApiToken(context, response, request.audience, expectedBy(context, request.binding))
  const user = await readUser(context, request, response)
  const refreshToken = readRefreshToken(response)
  const accessToken = await withVerifiedClaims(context, api.accessToken, request.audience)
  const binding = newBinding(accessToken, undefined, request.binding)
  return toOutcome({ ...api, accessToken }, user, {
    refreshToken,
    ...(binding === undefined ? {} : { binding }),
  })
}

interface RefreshedUser {
  readonly identity: Identity
  readonly idToken: string | undefined
  readonly sessionExpirySeconds: number | undefined
}

async function readUser(
  context: ProviderContext,
  request: RefreshRequest,
  response: UntrustedTokenResponse,
): Promise<RefreshedUser> {
  const { identity } = request
  const idToken = response.id_token
  const payload =
    typeof idToken === 'string'
      ? await verifyPatiently(context, request, { ...response, id_token: idToken })
      : undefined
  const {
    userRef = () => 'a user',
    options: { userClaims },
  } = context
  if (typeof idToken !== 'string' || payload === undefined)
    return { identity, idToken: undefined, sessionExpirySeconds: undefined }
  const userinfo = await userinfoOf(context, request, response.access_token)
  return {
    identity: refreshedIdentity(payload, identity, userClaims, userinfo, userRef),
    // Some providers leave `sid` out of refreshed ID tokens, and do not know their own session by them at a logout.
    idToken: payload.sid === undefined && identity.providerSessionId !== undefined ? undefined : idToken,
    sessionExpirySeconds: sessionExpiryOf(payload),
  }
}

/** What the userinfo endpoint says now; a failure there takes nothing away. */
async function userinfoOf(
  context: ProviderContext,
  { identity: { issuer, subject }, binding }: RefreshRequest,
  accessToken: unknown,
): Promise<Claims | undefined> {
  if (context.options.userinfo !== true) return {}
  try {
    return await askUserinfo(context, {
      accessToken: String(accessToken),
      key: dpopKeyOf(binding),
      issuer,
      subject,
    })
  } catch (error) {
    const { error: reason, facts } = classifyFailure(error)
    context.telemetry.log.warn(
      { reason, ...facts },
      'the userinfo endpoint was of no use at a refresh: the claims of before stand',
    )
    return undefined
  }
}

/**
 * The verified claims, or `undefined` when the keys cannot be had: nothing has failed a check then, the tokens came from the provider
 * itself, and the identity of the login stands (an ID token is optional here, OpenID Connect Core section 12.2).
 */
async function verifyPatiently(
  context: ProviderContext,
  request: RefreshRequest,
  response: UntrustedTokenResponse & { readonly id_token: string },
): Promise<JWTPayload | undefined> {
  const givesUpAtMs = performance.now() + context.options.providerTimeout * 1_000
  for (const waitMs of [...keyRetriesMs, undefined]) {
    try {
      return await verifyIdToken(context, response, rulesOf(request))
    } catch (error) {
      if (!isUnavailable(error)) throw error
      if (waitMs === undefined || performance.now() + waitMs > givesUpAtMs) break
      await sleep(waitMs)
    }
  }
  context.telemetry.log.warn('a refreshed ID token is left out: the keys to verify it cannot be had')
  return undefined
}

function isUnavailable(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'provider_unavailable'
}

interface Renewed {
  readonly refreshToken: string | undefined
  readonly binding?: TokenBinding
}

function toOutcome(api: ApiToken, user: RefreshedUser, { refreshToken, binding }: Renewed): RefreshOutcome {
  const { accessToken, fault } = api
  const { identity, idToken, sessionExpirySeconds } = user
  return fault === undefined
    ? {
        kind: 'refreshed',
        accessToken,
        refreshToken,
        idToken,
        identity,
        sessionExpirySeconds,
        ...(binding === undefined ? {} : { binding }),
      }
    : { kind: 'unusable', fault, refreshToken, idToken, identity, sessionExpirySeconds }
}
