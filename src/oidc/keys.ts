import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWSHeaderParameters,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose'
import { GatewayError } from '../errors/gateway-error.ts'
import type { OidcClient } from './client.ts'
import { createFetchBudget } from './fetch-budget.ts'
import type { ProviderDependencies, ProviderOptions } from './options.ts'

/** Who brings a JWT: tokens of a token response come from the provider itself, logout tokens from anybody. */
export type KeyUse = 'tokens' | 'logout'

/** The provider's signing keys. */
export interface ProviderKeys {
  /**
   * Verifies a JWT of the provider: signature, `iss`, `aud` = our client id, `exp`, `nbf` (RFC 7519 section 7.2).
   * @throws errors of jose when it is invalid; GatewayError `provider_unavailable` when the keys cannot be had
   */
  verify(
    untrustedJwt: string,
    use: KeyUse,
    requiredClaims: readonly string[],
  ): Promise<{ readonly payload: JWTPayload; readonly header: JWSHeaderParameters }>
}

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
/** Keys that fail a token response's token are fetched anew at once, so that all logins of a rotation survive it … */
const burstOfFetches = 5
/** … and then once per this long, milliseconds; for logout tokens, which anybody can forge, from the first one on. */
const fetchCooldownMs = 30_000
const longestAgeMs = 600_000

type KeySet = ReturnType<typeof createLocalJWKSet>

/** Fetches, keeps and uses the provider's key set (RFC 7517 section 5). */
export function createProviderKeys(
  client: OidcClient,
  options: ProviderOptions,
  { now }: ProviderDependencies,
): ProviderKeys {
  let cached: { readonly set: KeySet; readonly atMs: number } | undefined
  let fetching: Promise<KeySet> | undefined
  // Apart, so that forged logout tokens cannot use up what a login needs after a rotation.
  const budgets = {
    tokens: createFetchBudget(burstOfFetches, fetchCooldownMs, now),
    logout: createFetchBudget(1, fetchCooldownMs, now),
  }

  /** One fetch at a time, whoever asks. */
  function fetchKeys(): Promise<KeySet> {
    fetching ??= loadKeys(client)
      .then((keys) => {
        const set = createLocalJWKSet(keys)
        cached = { set, atMs: now() }
        return set
      })
      .finally(() => {
        fetching = undefined
      })
    return fetching
  }

  async function freshSet(): Promise<KeySet> {
    return cached === undefined || now() - cached.atMs > longestAgeMs ? fetchKeys() : cached.set
  }

  /** The set to try after `failed`, or `undefined` when none may be fetched now. */
  async function nextSet(failed: KeySet, use: KeyUse): Promise<KeySet | undefined> {
    if (cached !== undefined && cached.set !== failed) return cached.set
    if (fetching !== undefined) return fetchKeys()
    if (!budgets[use].take()) return undefined
    return fetchKeys().catch((error: unknown) => {
      // An outage of the keys must not cost the logins after it their rotation.
      if (use === 'tokens') budgets.tokens.giveBack()
      throw error
    })
  }

  return {
    async verify(untrustedJwt, use, requiredClaims) {
      const checks = checksOf(options, now(), requiredClaims)
      const set = await freshSet()
      try {
        return await verifyWith(set, untrustedJwt, checks)
      } catch (error) {
        if (!mayBeRotation(error)) throw error
        const next = await nextSet(set, use)
        if (next !== undefined) return verifyWith(next, untrustedJwt, checks)
        // Without a look at the current keys nobody knows whether the signature is wrong.
        throw use === 'logout' ? error : unavailable('keys were fetched too often', error)
      }
    },
  }
}

function checksOf(
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

/** A new key may have a new id, the old id, or none. */
function mayBeRotation(error: unknown): boolean {
  return error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed
}

async function verifyWith(set: KeySet, untrustedJwt: string, checks: JWTVerifyOptions) {
  try {
    const { payload, protectedHeader } = await jwtVerify(untrustedJwt, set, checks)
    return { payload, header: protectedHeader }
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) return verifyWithEach(error, untrustedJwt, checks)
    throw error
  }
}

/** A header without `kid` leaves several keys to try (OpenID Connect Core section 10.1). */
async function verifyWithEach(
  keys: AsyncIterable<CryptoKey>,
  untrustedJwt: string,
  checks: JWTVerifyOptions,
) {
  for await (const key of keys) {
    try {
      const { payload, protectedHeader } = await jwtVerify(untrustedJwt, key, checks)
      return { payload, header: protectedHeader }
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error
    }
  }
  throw new errors.JWSSignatureVerificationFailed()
}

async function loadKeys(client: OidcClient): Promise<JSONWebKeySet> {
  const uri = (await client.configuration()).serverMetadata().jwks_uri
  if (uri === undefined) throw unavailable('no jwks_uri')
  try {
    const response = await client.fetch(uri, {
      method: 'GET',
      headers: { accept: 'application/json' },
      redirect: 'manual',
      body: undefined,
    })
    if (response.status !== 200) throw unavailable('keys refused')
    const keys = (await response.json()) as JSONWebKeySet
    if (!Array.isArray(keys.keys)) throw unavailable('no key set')
    return keys
  } catch (error) {
    throw error instanceof GatewayError ? error : unavailable('keys unreachable', error)
  }
}

function unavailable(reason: string, cause?: unknown): GatewayError {
  return new GatewayError('provider_unavailable', { context: { reason }, cause })
}
