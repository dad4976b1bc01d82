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
import { GatewayError } from '../errors/gateway-error.ts'
import type { OidcClient } from './client.ts'
import { createFetchBudget, createSharedBudget, type FetchBudget } from './fetch-budget.ts'
import type { ProviderDependencies, ProviderOptions } from './options.ts'

/**
 * What a JWT is verified for. Those of token responses come from the provider itself, logout tokens from anybody: for these the keys are
 * fetched anew only within the budget of the session that they name, if there is one.
 */
export type KeyUse =
  | { readonly kind: 'login' }
  | { readonly kind: 'refresh' }
  | { readonly kind: 'logout'; readonly namedSession: () => Promise<string | undefined> }

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

/** The `typ` of a header in lower case and without `application/` (RFC 7515 section 4.1.9); `undefined` when there is none. */
export function tokenKind({ typ }: JWSHeaderParameters): string | undefined {
  return typ === undefined
    ? undefined
    : String(typ)
        .toLowerCase()
        .replace(/^application\//, '')
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
const burstOfFetches = 10
/** … and then once per this long, milliseconds. */
const fetchCooldownMs = 5_000
/** Logout tokens can be forged by anybody: with them the keys are fetched anew once per this long, milliseconds … */
const logoutCooldownMs = 30_000
/** … and besides for tokens that name a session we have, once for each, but for no more than this many. */
const mostNamedSessions = 10
/** Keys may be withdrawn without a token to show it, so they are looked at again after this, milliseconds. */
const lookAgainAfterMs = 600_000
/** When that fails, it is tried again after this … */
const lookAgainMs = 30_000
/** … and for this long the known keys do. */
const longestUnseenMs = 86_400_000

type KeySet = ReturnType<typeof createLocalJWKSet>

/** Fetches, keeps and uses the provider's key set (RFC 7517 section 5). */
export function createProviderKeys(
  client: OidcClient,
  options: ProviderOptions,
  { now }: ProviderDependencies,
): ProviderKeys {
  let cached: { readonly set: KeySet; readonly atMs: number } | undefined
  let nextLookAtMs = 0
  let fetching: Promise<KeySet> | undefined
  // Apart, so that forged logout tokens cannot use up what a login needs after a rotation, nor those that name no session of ours
  // what the genuine logout of a session needs.
  const budgets = {
    tokens: createFetchBudget(burstOfFetches, fetchCooldownMs, now),
    strangers: createFetchBudget(1, logoutCooldownMs, now),
    sessions: createSharedBudget(mostNamedSessions, logoutCooldownMs, now),
  }

  /** One fetch at a time, whoever asks. */
  function fetchKeys(): Promise<KeySet> {
    fetching ??= loadKeys(client)
      .then((set) => {
        cached = { set, atMs: now() }
        nextLookAtMs = now() + lookAgainAfterMs
        return set
      })
      .finally(() => {
        fetching = undefined
      })
    return fetching
  }

  /** The keys, looked at again now and then; when that fails, those that are known do for a while. */
  async function currentSet(): Promise<KeySet> {
    if (cached === undefined) return fetchKeys()
    const { set, atMs } = cached
    if (now() < nextLookAtMs) return set
    return fetchKeys().catch((error: unknown) => {
      if (now() - atMs > longestUnseenMs) throw error
      nextLookAtMs = now() + lookAgainMs
      return set
    })
  }

  /** The set to try after `failed`, or `undefined` when none may be fetched now. */
  async function nextSet(failed: KeySet, use: KeyUse): Promise<KeySet | undefined> {
    const claimant = use.kind === 'logout' ? await use.namedSession() : undefined
    if (cached !== undefined && cached.set !== failed) return cached.set
    if (fetching !== undefined) return fetchKeys()
    const budget = budgetOf(use, claimant)
    if (!budget.take()) return undefined
    return fetchKeys().catch((error: unknown) => {
      // An outage of the keys must not cost those who come after it their rotation.
      budget.giveBack()
      throw error
    })
  }

  function budgetOf(use: KeyUse, claimant: string | undefined): FetchBudget {
    if (use.kind !== 'logout') return budgets.tokens
    return claimant === undefined ? budgets.strangers : budgets.sessions.of(claimant)
  }

  return {
    async verify(untrustedJwt, use, requiredClaims) {
      const checks = checksOf(options, now(), requiredClaims)
      const set = await currentSet()
      try {
        return await verifyWith(set, untrustedJwt, checks)
      } catch (error) {
        if (!mayBeRotation(error)) throw error
        const next = await nextSet(set, use)
        if (next !== undefined) return verifyWith(next, untrustedJwt, checks)
        // Without a look at the current keys nobody knows whether the signature is wrong: no reason to end a session.
        throw use.kind === 'refresh' ? unavailable('keys were fetched too often', error) : error
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
) {
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

async function loadKeys(client: OidcClient): Promise<KeySet> {
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

function unavailable(reason: string, cause?: unknown): GatewayError {
  return new GatewayError('provider_unavailable', { context: { reason }, cause })
}
