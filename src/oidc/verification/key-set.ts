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
import { GatewayError } from '../../errors/gateway-error.ts'
import type { OidcClient } from '../provider/client.ts'
import type { ProviderOptions } from '../provider/options.ts'

/** Asymmetric only: with `none` or HS* anybody, or anybody with the client secret, could sign. */
export const idTokenAlgorithms: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
]
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
  nowMs: number,
  requiredClaims: readonly string[],
): JWTVerifyOptions {
  return {
    issuer: options.issuerUrl,
    audience: options.clientId,
    algorithms: [...idTokenAlgorithms],
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
 * @throws errors of jose when it is invalid; GatewayError `provider_unavailable` when its key is unusable
 */
export async function verifyWith(
  set: KeySet,
  untrustedJwt: string,
  checks: JWTVerifyOptions,
): Promise<VerifiedJwt> {
  try {
    const { payload, protectedHeader } = await jwtVerify(untrustedJwt, set, checks)
    return { payload, header: protectedHeader }
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) return verifyWithEach(error, untrustedJwt, checks)
    throw isAboutToken(error) ? error : unavailable('a key is unusable', error)
  }
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
  const keys: unknown = isObject(untrusted) ? Reflect.get(untrusted, 'keys') : undefined
  if (!Array.isArray(keys)) throw unavailable('no key set')
  return createLocalJWKSet({ keys: keys.filter((key): key is JWK => isObject(key)) })
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Says that the keys cannot be had, and why. */
export function unavailable(reason: string, cause?: unknown): GatewayError {
  return new GatewayError('provider_unavailable', { context: { reason }, cause })
}
