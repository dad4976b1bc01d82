import { LRUCache } from 'lru-cache'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { AddressLimits } from '../../http/limits/address-limits.ts'
import type { Provider } from '../../oidc/provider/provider.ts'
import type { AccessToken } from '../../oidc/tokens/token-set.ts'
import type { BearerFacts } from '../../oidc/verification/bearer-facts.ts'
import { BearerTokenError } from '../../oidc/verification/bearer-token.ts'
import { type Claims, pickClaims } from '../../oidc/verification/claims.ts'
import type { Sessions } from '../../session/lifecycle/sessions.ts'
import { hashSessionId } from '../../session/record/keys.ts'
import type { AccessRequest } from '../request.ts'
import type { AccessRules } from '../rules/rules.ts'
import { bearerRefusal } from './challenges.ts'

/** Somebody who has brought a token of the provider's instead of a session; the token is verified. */
export interface BearerCaller {
  /** Hash of the token. */
  readonly key: string
  /** Whose places in a route it takes: one user or client has as many as one session. */
  readonly holder: string
  readonly token: AccessToken
  readonly facts: BearerFacts
  /** Its claims, and those that the route names by pointers under these. */
  readonly claims: Claims
  /** For the log: who it is, as a pseudonym. */
  readonly reference: { readonly sessionRef: string; readonly userRef: string }
}

/** Verified callers of one route. */
export interface BearerCallers {
  /**
   * Synchronous for a token that was verified before and has not expired.
   * @throws GatewayError `bearer_invalid`, `rate_limited`, `provider_unavailable`
   */
  find(request: AccessRequest, untrustedToken: string): BearerCaller | Promise<BearerCaller>
}

/** What verifying callers needs. */
export interface BearerDependencies {
  readonly provider: Pick<Provider, 'verifyBearer'>
  readonly sessions: Pick<Sessions, 'userRef'>
  readonly limits: Pick<AddressLimits, 'admitLookup' | 'noteLive' | 'countMiss'>
  readonly now: () => number
}

/** What kept tokens may take together, characters; a forgotten one is verified again. */
const mostCharacters = 32_000_000
/** A short one counts as so many, so that at most 10,000 are kept. */
const leastCharacters = 3_200

/** Makes the memory of a route's callers. */
export function createBearerCallers(rules: AccessRules, dependencies: BearerDependencies): BearerCallers {
  const { limits, now } = dependencies
  const kept = new LRUCache<string, BearerCaller>({
    // Without the bound by number, for which the library sets room aside at once.
    maxSize: mostCharacters,
    sizeCalculation: ({ token }) => Math.max(token.value.length, leastCharacters),
  })
  const verify = async (request: AccessRequest, untrusted: string, key: string): Promise<BearerCaller> => {
    const caller = await verifyCaller(rules, dependencies, untrusted, key).catch((error: unknown) => {
      if (error instanceof GatewayError && error.code !== 'bearer_invalid') throw error
      throw limits.countMiss(request) ?? error
    })
    limits.noteLive(key)
    kept.set(key, caller)
    return caller
  }
  return {
    find(request, untrustedToken) {
      const key = hashSessionId(untrustedToken)
      const known = kept.get(key)
      if (known !== undefined && now() < known.token.expiresAtMs) return known
      // From here on it costs a signature's check, so an address that has failed too often waits.
      limits.admitLookup(request, untrustedToken)
      return verify(request, untrustedToken, key)
    },
  }
}

async function verifyCaller(
  rules: AccessRules,
  { provider, sessions, now }: BearerDependencies,
  untrustedToken: string,
  key: string,
): Promise<BearerCaller> {
  const rule = { accepted: rules.api?.accepted ?? [], resource: rules.resource }
  const facts = await provider.verifyBearer(untrustedToken, rule).catch((error: unknown) => {
    throw error instanceof BearerTokenError ? bearerRefusal(rules, error.message) : error
  })
  const { issuer, subject, claims, expiresAtMs } = facts
  return {
    key,
    holder: JSON.stringify([issuer, subject]),
    token: { value: untrustedToken, obtainedAtMs: now(), expiresAtMs },
    facts,
    claims: { ...claims, ...pickClaims(claims, namesOf(rules)) },
    reference: { sessionRef: 'bearer', userRef: sessions.userRef({ issuer, subject }) },
  }
}

/** The claims that the route reads. */
function namesOf({ require, identityHeaders, claims }: AccessRules): readonly string[] {
  const demands = require === undefined ? [] : [require, ...require.any]
  return [
    ...demands.flatMap((demand) => demand.claims.map(({ claim }) => claim)),
    ...identityHeaders.map(([, claim]) => claim),
    ...claims,
  ]
}
