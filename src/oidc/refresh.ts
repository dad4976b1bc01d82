import { refreshTokenGrant } from 'openid-client'
import { refreshedIdentity, sessionExpiryOf, verifyIdToken } from './id-token.ts'
import { audienceParameters } from './login.ts'
import type { ProviderContext } from './options.ts'
import type { RefreshOutcome } from './provider.ts'
import { classifyFailure } from './provider-error.ts'
import {
  type ApiToken,
  readApiToken,
  readRefreshToken,
  type UntrustedTokenResponse,
} from './token-response.ts'
import type { ApiAudience, Identity } from './token-set.ts'

/** Input of {@link refresh}. */
export interface RefreshRequest {
  readonly refreshToken: string
  readonly identity: Identity
  readonly audience: ApiAudience
}

/** A refreshed ID token may keep the `iat` of an earlier one, seconds. */
const oldestIdTokenSeconds = 86_400

/** One refresh grant (RFC 6749 section 6, OpenID Connect Core section 12) for one API; every answer is an outcome, nothing is thrown. */
export async function refresh(context: ProviderContext, request: RefreshRequest): Promise<RefreshOutcome> {
  let response: UntrustedTokenResponse
  try {
    response = await refreshTokenGrant(await context.client.configuration(), request.refreshToken, {
      ...context.options.tokenParameters,
      ...audienceParameters(request.audience),
      ...(request.audience.scope === undefined ? {} : { scope: request.audience.scope }),
    })
  } catch (error) {
    const failure = classifyFailure(error)
    return failure.kind === 'invalid' ? { ...failure, obtainedRefreshToken: undefined } : failure
  }
  return judge(context, request, response)
}

/** The old refresh token may be spent by now: whatever fails from here on, a new one must not be lost. */
async function judge(
  context: ProviderContext,
  request: RefreshRequest,
  response: UntrustedTokenResponse,
): Promise<RefreshOutcome> {
  const refreshToken = readRefreshToken(response)
  try {
    const api = readApiToken(context, response, request.audience)
    const user = await readUser(context, request.identity, response)
    return toOutcome(api, user, refreshToken)
  } catch (error) {
    const { error: reason } = classifyFailure(error)
    return { kind: 'invalid', error: reason, obtainedRefreshToken: refreshToken }
  }
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
  if (typeof idToken !== 'string') return { identity, idToken: undefined, sessionExpirySeconds: undefined }
  const payload = await verifyIdToken(context, idToken, oldestIdTokenSeconds)
  return {
    identity: refreshedIdentity(payload, identity, context.options.userClaims),
    idToken,
    sessionExpirySeconds: sessionExpiryOf(payload),
  }
}

function toOutcome(api: ApiToken, user: RefreshedUser, refreshToken: string | undefined): RefreshOutcome {
  const { accessToken, fault } = api
  const { identity, idToken, sessionExpirySeconds } = user
  return fault === undefined
    ? { kind: 'refreshed', accessToken, refreshToken, idToken, identity, sessionExpirySeconds }
    : { kind: 'unusable', fault, refreshToken, idToken, identity }
}
