import { setTimeout as sleep } from 'node:timers/promises'
import type { JWTPayload } from 'jose'
import { refreshTokenGrant } from 'openid-client'
import { GatewayError } from '../../errors/gateway-error.ts'
import { audienceParameters } from '../login/login.ts'
import type { ProviderContext } from '../provider/context.ts'
import type { RefreshOutcome } from '../provider/provider.ts'
import { classifyFailure, type ProviderFailure } from '../provider/provider-error.ts'
import {
  type IdTokenRules,
  refreshedIdentity,
  sessionExpiryOf,
  verifyIdToken,
} from '../verification/id-token.ts'
import { beginTokenExchange, type TokenExchange } from './code-grant.ts'
import {
  type ApiToken,
  bringsTokens,
  readApiToken,
  readRefreshToken,
  revocableToken,
  type UntrustedTokenResponse,
} from './token-response.ts'
import type { ApiAudience, Identity } from './token-set.ts'

/** Input of {@link refresh}. */
export interface RefreshRequest {
  readonly refreshToken: string
  readonly identity: Identity
  readonly audience: ApiAudience
}

/** A refreshed ID token may keep the `iat` of an earlier one. */
const refreshedIdTokens: IdTokenRules = { use: { kind: 'refresh' }, oldestSeconds: 86_400 }

/** Waits between attempts to get the keys that verify a refreshed ID token, milliseconds; all within the provider's timeout. */
const keyRetriesMs = [100, 300, 600]

/** One refresh grant (RFC 6749 section 6, OpenID Connect Core section 12) for one API; every answer is an outcome, nothing is thrown. */
export async function refresh(context: ProviderContext, request: RefreshRequest): Promise<RefreshOutcome> {
  let exchange: TokenExchange | undefined
  try {
    exchange = await beginTokenExchange(context.client)
    await refreshTokenGrant(exchange.configuration, request.refreshToken, {
      ...context.options.tokenParameters,
      ...audienceParameters(request.audience),
      ...(request.audience.scope === undefined ? {} : { scope: request.audience.scope }),
    })
    return await judge(context, request, exchange.answer())
  } catch (error) {
    return failedRefresh(classifyFailure(error), exchange?.answer() ?? {})
  }
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
  const api = readApiToken(context, response, request.audience)
  const user = await readUser(context, request.identity, response)
  return toOutcome(api, user, readRefreshToken(response))
}

interface RefreshedUser {
  readonly identity: Identity
  readonly idToken: string | undefined
  readonly sessionExpirySeconds: number | undefined
}

async function readUser(
  context: ProviderContext,
  identity: Identity,
  response: UntrustedTokenResponse,
): Promise<RefreshedUser> {
  const idToken = response.id_token
  const payload =
    typeof idToken === 'string'
      ? await verifyPatiently(context, { ...response, id_token: idToken })
      : undefined
  if (typeof idToken !== 'string' || payload === undefined)
    return { identity, idToken: undefined, sessionExpirySeconds: undefined }
  return {
    identity: refreshedIdentity(payload, identity, context.options.userClaims),
    idToken,
    sessionExpirySeconds: sessionExpiryOf(payload),
  }
}

/**
 * The verified claims, or `undefined` when the keys cannot be had: nothing has failed a check then, the tokens came from the provider
 * itself, and the identity of the login stands (an ID token is optional here, OpenID Connect Core section 12.2).
 */
async function verifyPatiently(
  context: ProviderContext,
  response: UntrustedTokenResponse & { readonly id_token: string },
): Promise<JWTPayload | undefined> {
  const givesUpAtMs = performance.now() + context.options.providerTimeout * 1_000
  for (const waitMs of [...keyRetriesMs, undefined]) {
    try {
      return await verifyIdToken(context, response, refreshedIdTokens)
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

function toOutcome(api: ApiToken, user: RefreshedUser, refreshToken: string | undefined): RefreshOutcome {
  const { accessToken, fault } = api
  const { identity, idToken, sessionExpirySeconds } = user
  return fault === undefined
    ? { kind: 'refreshed', accessToken, refreshToken, idToken, identity, sessionExpirySeconds }
    : { kind: 'unusable', fault, refreshToken, idToken, identity }
}
