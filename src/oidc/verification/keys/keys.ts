import { signatureAlgorithms } from '../../../config/settings/kinds/algorithm.ts'
import { allowedAlgorithms, profileAlgorithms } from '../../provider/algorithms.ts'
import type { OidcClient } from '../../provider/client.ts'
import type { ProviderDependencies, ProviderOptions } from '../../provider/options.ts'
import { jwtRefusal } from '../jwt-refusal.ts'
import { createHeldKeys } from './held-keys.ts'
import { createKeyBudgets } from './key-budgets.ts'
import { checksOf, type KeySet, mayBeRotation, unavailable, type VerifiedJwt, verifyWith } from './key-set.ts'
import { type KeyUse, tokenNames } from './key-use.ts'

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

/** Fetches, keeps and uses the provider's key set (RFC 7517 section 5). */
export function createProviderKeys(
  client: OidcClient,
  options: ProviderOptions,
  { now }: ProviderDependencies,
): ProviderKeys {
  const held = createHeldKeys(client, now)
  const budgetOf = createKeyBudgets(now)

  /** The set to try after `failed`, or `undefined` when none may be fetched now. */
  async function nextSet(failed: KeySet, use: KeyUse): Promise<NextSet | undefined> {
    const claimant = use.kind === 'logout' ? await use.namedSession() : undefined
    const known = held.known()
    if (known !== undefined && known !== failed) return { set: known, isForThis: false }
    if (held.isBeingFetched()) return { set: await held.fetch(), isForThis: false }
    const budget = budgetOf(use, claimant)
    if (!budget.take()) {
      // Nobody knows then whether the key exists: whoever has sent it may send it again.
      if (held.isOutage()) throw unavailable('keys unreachable')
      return undefined
    }
    return { set: await held.fetchWithin(budget, use), isForThis: true }
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
      const set = await held.current(use)
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
