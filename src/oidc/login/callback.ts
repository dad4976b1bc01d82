import { decodeProtectedHeader, type JWTPayload } from 'jose'
import { authorizationCodeGrant } from 'openid-client'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { DpopKey } from '../../signing/dpop-key.ts'
import { revoke } from '../logout/logout.ts'
import type { ProviderContext } from '../provider/context.ts'
import { loginFailure } from '../provider/failures/provider-error.ts'
import { UnmetDemandError } from '../provider/failures/refusal.ts'
import type { AccessTokenFault, CompletedLogin, LoginTransaction } from '../provider/provider.ts'
import { withNonce } from '../provider/proving.ts'
import { expectedOf, loginKey, newBinding } from '../tokens/binding.ts'
import { beginTokenExchange, type TokenExchange } from '../tokens/code-grant.ts'
import { explained } from '../tokens/explained.ts'
import { readApiToken, readRefreshToken, revocableToken } from '../tokens/token-response.ts'
import type { Identity } from '../tokens/token-set.ts'
import { askUserinfo } from '../tokens/userinfo.ts'
import { withVerifiedClaims } from '../verification/access-token-claims.ts'
import type { Claims } from '../verification/claims.ts'
import { type IdTokenRules, idTokenIn, verifyIdToken } from '../verification/id-token.ts'
import { identityOf, sessionExpiryOf } from '../verification/identity.ts'
import { clockToleranceSeconds } from '../verification/keys/key-set.ts'
import { adviseOnSuccess, adviseOperator, isNewCause } from './advice.ts'
import { demandOf, type UnmetClaim, unmetClaim } from './demand.ts'
import { audienceParameters, redirectUri } from './login.ts'

/**
 * Redeems the code (RFC 6749 section 4.1.3) and verifies what comes back: OpenID Connect Core section 3.1.3.7, the access token against the
 * API's audience, and `max_age` and `acr_values` when they were asked for.
 *
 * @throws GatewayError `login_refused`, `access_token_unusable`, `provider_rejected`, `provider_unavailable`
 */
export async function completeLogin(
  context: ProviderContext,
  untrustedQuery: string,
  transaction: LoginTransaction,
): Promise<CompletedLogin> {
  let exchange: TokenExchange | undefined
  const key = loginKey(transaction.dpopSecret, context.options.tokenBinding ?? 'none')
  try {
    exchange = await beginTokenExchange(context.client, {
      possession: key === undefined ? undefined : { key },
    })
    return await redeem(context, { exchange, key }, untrustedQuery, transaction)
  } catch (error) {
    const response = exchange?.answer() ?? {}
    explainSignature(context, response.id_token)
    // Nobody will use it. The user does not wait for that.
    const refreshToken = revocableToken(response)
    if (refreshToken !== undefined) void revoke(context, refreshToken, 'unused')
    const failure = loginFailure(
      await explained(context, error, response, rulesOf(transaction), expectedOf(context, key)),
    )
    adviseOperator(context, failure)
    throw failure
  }
}

/** A login's ID token was made just now, for this very login. */
function rulesOf({ nonce }: LoginTransaction): IdTokenRules {
  return { use: { kind: 'login' }, oldestSeconds: 600, nonce }
}

/** The classic of a first login: the client is registered for HS256, so its secret signs, and the refusal alone would not tell. */
function explainSignature(context: ProviderContext, untrustedIdToken: unknown): void {
  const algorithm = /^HS\d{3}$/.exec(algorithmOf(untrustedIdToken))?.[0]
  if (algorithm === undefined || !isNewCause(context, 'signature', algorithm)) return
  context.telemetry.log.error(
    { algorithm },
    'the ID token is signed with a shared secret, which is refused: let the provider sign ID tokens of this client with RS256',
  )
}

function algorithmOf(untrustedJwt: unknown): string {
  try {
    return decodeProtectedHeader(String(untrustedJwt)).alg ?? ''
  } catch {
    return ''
  }
}

interface Redemption {
  readonly exchange: TokenExchange
  /** The key that its tokens are bound to. */
  readonly key: DpopKey | undefined
}

async function redeem(
  context: ProviderContext,
  { exchange, key }: Redemption,
  untrustedQuery: string,
  transaction: LoginTransaction,
): Promise<CompletedLogin> {
  const { options } = context
  await withNonce(() =>
    authorizationCodeGrant(
      exchange.configuration,
      // Scheme and host come from the settings: the library takes the token request's redirect URI from here.
      new URL(`${redirectUri(options)}?${untrustedQuery}`),
      {
        pkceCodeVerifier: transaction.codeVerifier,
        expectedState: transaction.state,
        expectedNonce: transaction.nonce,
        idTokenExpected: true,
      },
      { ...options.tokenParameters, ...audienceParameters(options.audience) },
    ),
  )
  const response = exchange.answer()
  const rules = rulesOf(transaction)
  const idToken = idTokenIn(response, rules.use) ?? ''
  const payload = await verifyIdToken(context, { ...response, id_token: idToken }, rules)
  expectAuthentication(identityOf(payload, []), transaction, context.now())
  const unmet = unmetClaim(transaction.stepUp?.claims, payload)
  if (unmet !== undefined) throw new UnmetDemandError(unmet.name, bareOf(unmet))
  const lastDemand = demandOf(transaction)
  const api = readApiToken(context, response, options.audience, expectedOf(context, key))
  if (api.fault !== undefined) throw unusable(context, api.fault)
  const binding = newBinding(api.accessToken, key, undefined)
  const userinfo =
    options.userinfo === true ? await userinfoOf(context, payload, api.accessToken.value, key) : {}
  const identity = identityOf(payload, options.userClaims, userinfo)
  const refreshToken = readRefreshToken(response)
  adviseOnSuccess(context, api.facts.algorithm, refreshToken)
  return {
    identity,
    idToken,
    refreshToken,
    accessToken: await withVerifiedClaims(context, api.accessToken, options.audience),
    sessionExpirySeconds: sessionExpiryOf(payload),
    ...(binding === undefined ? {} : { binding }),
    ...(lastDemand === undefined ? {} : { lastDemand }),
  }
}

/** Claims about the sign-in; any other may be about the person (an e-mail address, a number), and those stand in no log. */
const shownClaims: ReadonlySet<string> = new Set(['acr', 'acrs', 'amr', 'auth_time'])

/** Both values for the log, where they may stand there. */
function bareOf({ name, expected, received }: UnmetClaim) {
  return shownClaims.has(name) ? { expected, received } : {}
}

function userinfoOf(
  context: ProviderContext,
  { sub = '' }: JWTPayload,
  accessToken: string,
  key: DpopKey | undefined,
): Promise<Claims> {
  return askUserinfo(context, { accessToken, key, issuer: context.options.issuerUrl, subject: sub })
}

/** Providers do not fail a request they could not satisfy, so `max_age` and `acr_values` are checked here (Core section 3.1.2.1). */
function expectAuthentication(identity: Identity, transaction: LoginTransaction, nowMs: number): void {
  const { maxAgeSeconds, acrValues } = transaction
  if (maxAgeSeconds !== undefined) {
    const oldest = nowMs / 1_000 - maxAgeSeconds - clockToleranceSeconds
    const latest = nowMs / 1_000 + clockToleranceSeconds
    const received = identity.authTimeSeconds
    // One of the future would never grow old.
    if (received === undefined || received < oldest || received > latest)
      throw new UnmetDemandError('auth_time', {
        expected: `from ${Math.floor(oldest)} to ${Math.floor(latest)}`,
        received,
      })
  }
  if (acrValues !== undefined && !acrValues.split(' ').includes(identity.acr ?? ''))
    throw new UnmetDemandError('acr', { expected: acrValues, received: identity.acr })
}

function unusable({ telemetry }: ProviderContext, fault: AccessTokenFault): GatewayError {
  const { kind, askedFor, found, explanation, remedy } = fault
  telemetry.log.error({ code: 'access_token_unusable', kind, askedFor, found, remedy }, explanation)
  return new GatewayError('access_token_unusable', { detail: `${explanation} ${remedy}`, context: { kind } })
}
