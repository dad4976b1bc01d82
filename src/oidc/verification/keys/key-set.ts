import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JWK,
  type JWSHeaderParameters,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose'
import { isPlainObject } from '../../../basics/plain-object.ts'
import { GatewayError } from '../../../errors/gateway-error.ts'
import type { OidcClient } from '../../provider/client.ts'
import { plainValue, type RefusalFacts } from '../../provider/failures/refusal.ts'
import type { ProviderOptions } from '../../provider/options.ts'
import { headerOf, isCompactJws } from '../untrusted-jwt.ts'

/** Clocks of provider and gateway may differ by this much, seconds. */
export const clockToleranceSeconds = 30
/** A provider's published keys. */
export type KeySet = ReturnType<typeof createLocalJWKSet>

/** What a verified JWT says. */
export interface VerifiedJwt {
  readonly payload: JWTPayload
  readonly header: JWSHeaderParameters
}

/** The `typ` of a header in lower case and without `application/` (RFC 7515 section 4.1.9); `undefined` when there is none. */
export function tokenKind({ typ }: JWSHeaderParameters): string | undefined {
  return typ === undefined
    ? undefined
    : String(typ)
        .toLowerCase()
        .replace(/^application\//, '')
}

/** What every JWT of the provider must say, besides its signature. */
export function checksOf(
  options: ProviderOptions,
  algorithms: readonly string[],
  nowMs: number,
  requiredClaims: readonly string[],
  audiences: readonly string[] | 'any' | 'unchecked',
): JWTVerifyOptions {
  return {
    // An answer of the userinfo endpoint may leave these out: it compares them itself.
    ...(audiences === 'unchecked' ? {} : { issuer: options.issuerUrl }),
    ...(typeof audiences === 'string' ? {} : { audience: [...audiences] }),
    algorithms: [...algorithms],
    clockTolerance: clockToleranceSeconds,
    currentDate: new Date(nowMs),
    requiredClaims: [...requiredClaims],
  }
}

/** Whether the keys may have changed since they were fetched. A new key may have a new id, the old id, or none. */
export function mayBeRotation(error: unknown): boolean {
  return error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed
}

/**
 * Verifies a JWT with the keys of a set.
 *
 * @param token the kind of token, as checks name it
 * @throws errors of jose when it is invalid; GatewayError `provider_unavailable` when its key is unusable
 */
export async function verifyWith(
  set: KeySet,
  untrustedJwt: string,
  checks: JWTVerifyOptions,
  token: string,
): Promise<VerifiedJwt> {
  try {
    if (!isCompactJws(untrustedJwt)) throw new errors.JWSInvalid()
    const { payload, protectedHeader } = await jwtVerify(untrustedJwt, set, checks)
    return { payload, header: protectedHeader }
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) return verifyWithEach(error, untrustedJwt, checks)
    throw isAboutToken(error) ? error : unusableKey(error, untrustedJwt, token)
  }
}

/** Too short an RSA key is the usual case, and jose says so only in a message. */
function unusableKey(cause: unknown, untrustedJwt: string, token: string): GatewayError {
  const isShort = cause instanceof TypeError && /modulusLength/.test(cause.message)
  const expected = isShort ? 'an RSA key of at least 2048 bits' : 'a public key that can be used'
  const { kid, alg } = headerOf(untrustedJwt)
  const facts = { check: `${token}.kid`, expected, received: plainValue(`${textOf(kid)} (${textOf(alg)})`) }
  return unavailable(isShort ? 'a key of the provider is too short' : 'a key is unusable', cause, facts)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : 'none'
}

/** A key that cannot be imported, or is a private one, is the provider's fault. */
function isAboutToken(error: unknown): boolean {
  return error instanceof errors.JOSEError && !(error instanceof errors.JWKSInvalid)
}

/** A header without `kid` leaves several keys to try (OpenID Connect Core section 10.1). */
async function verifyWithEach(
  keys: AsyncIterable<CryptoKey>,
  untrustedJwt: string,
  checks: JWTVerifyOptions,
): Promise<VerifiedJwt> {
  for await (const key of keys) {
    try {
      const { payload, protectedHeader } = await jwtVerify(untrustedJwt, key, checks)
      return { payload, header: protectedHeader }
    } catch (error) {
      const isOfAnotherKey = error instanceof errors.JWSSignatureVerificationFailed || !isAboutToken(error)
      if (!isOfAnotherKey) throw error
    }
  }
  throw new errors.JWSSignatureVerificationFailed()
}

/**
 * Fetches the provider's key set (RFC 7517 section 5).
 *
 * @throws GatewayError `provider_unavailable`
 */
export async function loadKeys(client: OidcClient): Promise<KeySet> {
  const uri = (await client.configuration()).serverMetadata().jwks_uri
  if (uri === undefined) throw unavailable('no jwks_uri')
  try {
    const response = await client.fetch('keys')(uri, {
      method: 'GET',
      headers: { accept: 'application/json' },
      redirect: 'manual',
      body: undefined,
    })
    if (response.status !== 200) throw unavailable('keys refused')
    return readKeySet(await response.json())
  } catch (error) {
    throw error instanceof GatewayError ? error : unavailable('keys unreachable', error)
  }
}

/** Members that are no keys are passed over, as are keys of kinds that nobody here knows (RFC 7517 section 5). */
function readKeySet(untrusted: unknown): KeySet {
  const keys: unknown = isPlainObject(untrusted) ? Reflect.get(untrusted, 'keys') : undefined
  if (!Array.isArray(keys)) throw unavailable('no key set')
  return createLocalJWKSet({ keys: keys.filter((key): key is JWK => isPlainObject(key)) })
}

/** Says that the keys cannot be had, and why. */
export function unavailable(reason: string, cause?: unknown, facts: RefusalFacts = {}): GatewayError {
  return new GatewayError('provider_unavailable', { context: { reason, ...facts }, cause })
}
