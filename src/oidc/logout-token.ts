import type { JWTPayload } from 'jose'
import { GatewayError } from '../errors/gateway-error.ts'
import type { ProviderContext } from './options.ts'
import type { LogoutToken } from './provider.ts'

/** A logout token is invalid. Its message may be shown to whoever sent it. */
export class LogoutTokenError extends Error {
  override readonly name = 'LogoutTokenError'
}

const eventName = 'http://schemas.openid.net/event/backchannel-logout'
/** Some providers write none, some the type of any JWT. */
const typesOfLogoutTokens = new Set([undefined, 'jwt', 'logout+jwt'])
const futureToleranceSeconds = 60
/** Providers queue and repeat; an older one could only end sessions that began after it, or none, seconds. */
const oldestSeconds = 600
const longestToken = 16 * 1024
const longestJti = 512

/**
 * Verifies a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.6), all but the replay of its `jti`.
 *
 * @throws LogoutTokenError, GatewayError `provider_unavailable` when the keys cannot be had
 */
export async function verifyLogoutToken(
  context: ProviderContext,
  untrustedToken: string,
): Promise<LogoutToken> {
  if (untrustedToken.length > longestToken) throw new LogoutTokenError('the logout token is too long')
  const payload = await verifySignature(context, untrustedToken)
  expectEvent(payload)
  if (Object.hasOwn(payload, 'nonce')) throw new LogoutTokenError('a logout token has no nonce')
  const issuedAtSeconds = expectTime(payload.iat, context.now() / 1_000)
  const jti = payload.jti
  if (typeof jti !== 'string' || jti === '' || jti.length > longestJti)
    throw new LogoutTokenError('jti is missing')
  const subject = textOf(payload.sub, 'sub')
  const providerSessionId = textOf(payload.sid, 'sid')
  if (subject === undefined && providerSessionId === undefined)
    throw new LogoutTokenError('neither sub nor sid')
  return { issuer: context.options.issuerUrl, subject, providerSessionId, issuedAtSeconds, jti }
}

async function verifySignature({ keys }: ProviderContext, untrustedToken: string): Promise<JWTPayload> {
  try {
    const { payload, header } = await keys.verify(untrustedToken, 'logout', ['iat', 'events'])
    const kind = header.typ?.toLowerCase().replace(/^application\//, '')
    if (!typesOfLogoutTokens.has(kind)) throw new LogoutTokenError('typ is of another kind of token')
    return payload
  } catch (error) {
    if (error instanceof LogoutTokenError || error instanceof GatewayError) throw error
    throw new LogoutTokenError('signature, issuer, audience or expiry is wrong')
  }
}

function expectEvent({ events }: JWTPayload): void {
  const event: unknown =
    isObject(events) && Object.hasOwn(events, eventName) ? Reflect.get(events, eventName) : undefined
  if (!isObject(event)) throw new LogoutTokenError('events lacks the logout event')
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function expectTime(issuedAt: unknown, nowSeconds: number): number {
  if (typeof issuedAt !== 'number' || !Number.isFinite(issuedAt))
    throw new LogoutTokenError('iat is malformed')
  if (issuedAt > nowSeconds + futureToleranceSeconds) throw new LogoutTokenError('iat is in the future')
  if (issuedAt < nowSeconds - oldestSeconds) throw new LogoutTokenError('iat is too old')
  return issuedAt
}

function textOf(value: unknown, name: string): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '') throw new LogoutTokenError(`${name} is malformed`)
  return value
}
