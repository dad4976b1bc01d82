import { signatureAlgorithms } from '../../config/settings/kinds/algorithm.ts'
import { allowedAlgorithms, profileAlgorithms } from '../provider/algorithms.ts'
import type { OidcClient } from '../provider/client.ts'
import type { ProviderDependencies, ProviderOptions } from '../provider/options.ts'
import { createFetchBudget, createSharedBudget, type FetchBudget } from './fetch-budget.ts'
import { jwtRefusal } from './jwt-refusal.ts'
import {
  checksOf,
  type KeySet,
  loadKeys,
  mayBeRotation,
  unavailable,
  type VerifiedJwt,
  verifyWith,
} from './key-set.ts'

/**
 * What a JWT is verified for. Those of token responses come from the provider itself, logout tokens from anybody: for these the keys are
 * fetched anew only within the budget of the session that they name, if there is one.
 */
export type KeyUse =
  | { readonly kind: 'login' }
  | { readonly kind: 'refresh' }
  | { readonly kind: 'userinfo' }
  /** A signed authorization response, which comes through the browser: whoever began a login can forge one. */
  | { readonly kind: 'response' }
  /** An access token that a caller has brought: anybody's word. */
  | { readonly kind: 'bearer' }
  /** An access token that the provider has just issued to us. */
  | { readonly kind: 'access_token' }
  | { readonly kind: 'logout'; readonly namedSession: () => Promise<string | undefined> }

/** How checks name the token. */
const tokenNames = {
  login: 'id_token',
  refresh: 'id_token',
  logout: 'logout_token',
  userinfo: 'userinfo',
  response: 'response',
  bearer: 'token',
  access_token: 'token',
} as const satisfies Readonly<Record<KeyUse['kind'], string>>

/** The provider's signing keys. */
export interface ProviderKeys {
  /**
   * Verifies a JWT of the provider: signature, `iss`, `aud` (our client id unless others are given; `any`: none is looked for), `exp`, `nbf` (RFC 7519 section 7.2).
   * @throws CheckError when it is invalid; GatewayError `provider_unavailable` when the keys cannot be had
   */
  verify(
    untrustedJwt: string,
    use: KeyUse,
    requiredClaims: readonly string[],
    audiences?: readonly string[] | 'any',
  ): Promise<VerifiedJwt>
}

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

/** Fetches, keeps and uses the provider's key set (RFC 7517 section 5). */
export function createProviderKeys(
  client: OidcClient,
  options: ProviderOptions,
  { now }: ProviderDependencies,
): ProviderKeys {
  let cached: { readonly set: KeySet; readonly atMs: number } | undefined
  let nextLookAtMs = 0
  let fetching: Promise<KeySet> | undefined
  const budgetOf = createBudgets(now)

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
  async function nextSet(failed: KeySet, use: KeyUse): Promise<NextSet | undefined> {
    const claimant = use.kind === 'logout' ? await use.namedSession() : undefined
    if (cached !== undefined && cached.set !== failed) return { set: cached.set, isForThis: false }
    if (fetching !== undefined) return { set: await fetchKeys(), isForThis: false }
    const budget = budgetOf(use, claimant)
    if (!budget.take()) return undefined
    const set = await fetchKeys().catch((error: unknown) => {
      // An outage of the keys must not cost those who come after it their rotation.
      budget.giveBack()
      throw error
    })
    return { set, isForThis: true }
  }

  /** Verifies with these keys, then with newer ones while there may be some that fit. */
  async function verifyFrom(tried: NextSet, jwt: UntrustedJwt): Promise<VerifiedJwt> {
    try {
      return await verifyWith(tried.set, jwt.text, jwt.checks, tokenNames[jwt.use.kind])
    } catch (error) {
      if (tried.isForThis || !mayBeRotation(error)) throw error
      const next = await nextSet(tried.set, jwt.use)
      if (next !== undefined) return verifyFrom(next, jwt)
      // Without a look at the current keys nobody knows whether the signature is wrong: no reason to end a session.
      throw jwt.use.kind === 'refresh' ? unavailable('keys were fetched too often', error) : error
    }
  }

  return {
    async verify(untrustedJwt, use, requiredClaims, audiences = [options.clientId]) {
      const metadata = (await client.configuration()).serverMetadata()
      const algorithms = algorithmsFor(use, options, metadata)
      const named = use.kind === 'userinfo' ? 'unchecked' : audiences
      const checks = checksOf(options, algorithms, now(), requiredClaims, named)
      const set = await currentSet()
      return verifyFrom({ set, isForThis: false }, { text: untrustedJwt, use, checks }).catch(
        (error: unknown) => {
          const { issuerUrl: issuer, clientId: audience } = options
          const token = tokenNames[use.kind]
          throw jwtRefusal(error, untrustedJwt, { token, issuer, audience, algorithms, nowMs: now() })
        },
      )
    },
  }
}

/**
 * Apart, so that forged logout tokens cannot use up what a login needs after a rotation, nor those that name no session of ours what the
 * genuine logout of a session needs, nor callers' tokens either.
 */
function createBudgets(now: () => number): (use: KeyUse, claimant: string | undefined) => FetchBudget {
  const tokens = createFetchBudget(burstOfFetches, fetchCooldownMs, now)
  const responses = createFetchBudget(burstOfFetches, fetchCooldownMs, now)
  const strangers = createFetchBudget(1, logoutCooldownMs, now)
  const bearers = createFetchBudget(1, logoutCooldownMs, now)
  const sessions = createSharedBudget(mostNamedSessions, logoutCooldownMs, now)
  return (use, claimant) => {
    if (use.kind === 'response') return responses
    if (use.kind === 'bearer') return bearers
    if (use.kind !== 'logout') return tokens
    return claimant === undefined ? strangers : sessions.of(claimant)
  }
}

/** Access tokens are signed for APIs, by other rules than ID tokens. */
function algorithmsFor(
  { kind }: KeyUse,
  options: ProviderOptions,
  metadata: Parameters<typeof allowedAlgorithms>[1],
): readonly string[] {
  const isForApis = kind === 'bearer' || kind === 'access_token'
  if (isForApis) return profileAlgorithms(options) ?? signatureAlgorithms
  return allowedAlgorithms(options.idTokenAlgorithm, metadata)
}

/** A JWT, and what it has to be. */
interface UntrustedJwt {
  readonly text: string
  readonly use: KeyUse
  readonly checks: ReturnType<typeof checksOf>
}

/** Keys to try. */
interface NextSet {
  readonly set: KeySet
  /** Fetched after the JWT came: what does not fit them is wrong. Others may be older than the key that has signed it. */
  readonly isForThis: boolean
}
