import { decodeJwt, type JWTPayload } from 'jose'
import { isPlainObject } from '../../basics/plain-object.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { ProviderContext } from '../provider/context.ts'
import { CheckError, type RefusalFacts } from '../provider/failures/refusal.ts'
import type { ProviderOptions } from '../provider/options.ts'
import type { LogoutToken, NamesSession } from '../provider/provider.ts'
import { tokenKind } from '../verification/keys/key-set.ts'

/** A logout token is invalid. Its message may be shown to whoever sent it. */
export class LogoutTokenError extends Error {
  override readonly name = 'LogoutTokenError'
  readonly facts: RefusalFacts

  /**
   * @param member which claim or header member
   * @param compared both values, for the log
   */
  constructor(
    message: string,
    member = 'format',
    compared: ConstructorParameters<typeof CheckError>[1] = {},
  ) {
    super(message)
    this.facts = new CheckError(`logout_token.${member}`, compared).facts
  }
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
 * Verifies a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.6), all but the replay of its `jti`. The claims are looked at
 * first, because that costs nothing: a key that is not known yet is only fetched for a token that is right otherwise.
 *
 * @param namesSession decides, before anything is verified, how eagerly an unknown key is looked for
 * @throws LogoutTokenError, GatewayError `provider_unavailable` when the keys cannot be had
 */
export async function verifyLogoutToken(
  context: ProviderContext,
  untrustedToken: string,
  namesSession: NamesSession,
): Promise<LogoutToken> {
  if (untrustedToken.length > longestToken)
    throw new LogoutTokenError('the logout token is too long', 'length', {
      expected: `at most ${longestToken}`,
      received: untrustedToken.length,
    })
  const untrustedPayload = decode(untrustedToken)
  expectParties(untrustedPayload, context.options)
  const untrusted = readClaims(context, untrustedPayload)
  return readClaims(context, await verifySignature(context, untrustedToken, untrusted, namesSession))
}

function decode(untrustedToken: string): JWTPayload {
  try {
    return decodeJwt(untrustedToken)
  } catch {
    throw new LogoutTokenError('the logout token is no signed JWT', 'format')
  }
}

/** The signature's check repeats this; here it only spares a fetch of the keys. */
function expectParties({ iss, aud }: JWTPayload, { issuerUrl, clientId }: ProviderOptions): void {
  if (iss !== issuerUrl)
    throw new LogoutTokenError('iss is not the provider', 'iss', { expected: issuerUrl, received: iss })
  if (![aud].flat().includes(clientId))
    throw new LogoutTokenError('aud is not this client', 'aud', { expected: clientId, received: aud })
}

function readClaims({ options, now }: ProviderContext, payload: JWTPayload): LogoutToken {
  expectEvent(payload)
  if (Object.hasOwn(payload, 'nonce')) throw new LogoutTokenError('a logout token has no nonce', 'nonce')
  const issuedAtSeconds = expectTime(payload.iat, now() / 1_000)
  const jti = payload.jti
  if (typeof jti !== 'string' || jti === '' || jti.length > longestJti)
    throw new LogoutTokenError('jti is missing', 'jti')
  const subject = textOf(payload.sub, 'sub')
  const providerSessionId = textOf(payload.sid, 'sid')
  if (subject === undefined && providerSessionId === undefined)
    throw new LogoutTokenError('neither sub nor sid', 'sid')
  return { issuer: options.issuerUrl, subject, providerSessionId, issuedAtSeconds, jti }
}

async function verifySignature(
  { keys }: ProviderContext,
  untrustedToken: string,
  untrusted: LogoutToken,
  namesSession: NamesSession,
): Promise<JWTPayload> {
  const namedSession = async (): Promise<string | undefined> => {
    // A store that does not answer makes it a stranger's; what the logout needs of the store fails by itself.
    const isNamed = await namesSession(untrusted).catch(() => false)
    return isNamed ? JSON.stringify([untrusted.providerSessionId, untrusted.subject]) : undefined
  }
  try {
    const use = { kind: 'logout', namedSession } as const
    const { payload, header } = await keys.verify(untrustedToken, use, ['iat', 'events'])
    if (!typesOfLogoutTokens.has(tokenKind(header)))
      throw new LogoutTokenError('typ is of another kind of token', 'typ', {
        expected: 'logout+jwt',
        received: header.typ,
      })
    return payload
  } catch (error) {
    if (error instanceof LogoutTokenError || error instanceof GatewayError) throw error
    throw wrongSignature(error)
  }
}

function wrongSignature(error: unknown): LogoutTokenError {
  const refusal = new LogoutTokenError('signature, issuer, audience or expiry is wrong', 'signature')
  return error instanceof CheckError ? Object.assign(refusal, { facts: error.facts }) : refusal
}

function expectEvent({ events }: JWTPayload): void {
  const event: unknown =
    isPlainObject(events) && Object.hasOwn(events, eventName) ? Reflect.get(events, eventName) : undefined
  if (!isPlainObject(event)) throw new LogoutTokenError('events lacks the logout event', 'events')
}

function expectTime(issuedAt: unknown, nowSeconds: number): number {
  if (typeof issuedAt !== 'number' || !Number.isFinite(issuedAt))
    throw new LogoutTokenError('iat is malformed', 'iat', { received: issuedAt })
  const [earliest, latest] = [nowSeconds - oldestSeconds, nowSeconds + futureToleranceSeconds]
  const compared = { expected: `from ${Math.floor(earliest)} to ${Math.floor(latest)}`, received: issuedAt }
  if (issuedAt > latest) throw new LogoutTokenError('iat is in the future', 'iat', compared)
  if (issuedAt < earliest) throw new LogoutTokenError('iat is too old', 'iat', compared)
  return issuedAt
}

function textOf(value: unknown, name: string): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '') throw new LogoutTokenError(`${name} is malformed`, name)
  return value
}
