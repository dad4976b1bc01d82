import { dpopKeyOf } from '../../oidc/tokens/binding.ts'
import type { AccessToken } from '../../oidc/tokens/token-set.ts'
import type { SessionView } from '../../session/record/session.ts'
import { createDpopProof } from '../../signing/dpop-proof.ts'
import type { NonceMemory } from '../../signing/nonces.ts'
import { sha256 } from '../../signing/thumbprints.ts'
import type { TargetRule } from '../target.ts'

/** How an API names itself in the proofs that it takes; derived once from a route. */
export interface ProofPlace {
  /** Whose nonces count, as `URL.origin` writes it. */
  readonly nonceOrigin: string
  /** What stands before the rest of the path. */
  readonly base: string
  /** How much of the upstream's target is not that rest, characters. */
  readonly skipped: number
}

/** A request that is to carry a proof. */
export interface ProvedRequest {
  readonly method: string
  /** The target that the upstream is asked for. */
  readonly target: string
  /** `undefined` where nobody is signed in: such requests carry bearer tokens. */
  readonly session: SessionView | undefined
  /** The nonce with which this very request was refused before; absent: the newest that is known. */
  readonly demandedNonce?: string | undefined
}

/** Proofs of possession for APIs (RFC 9449 section 7), whoever carries the request there. */
export interface UpstreamProofs {
  /**
   * The value of the `DPoP` header that goes with a token of the session; `undefined` for a bearer token. With a proof the scheme of
   * `Authorization` is `DPoP`. One synchronous signature.
   */
  proofFor(place: ProofPlace, request: ProvedRequest, token: AccessToken): string | undefined
  /** Takes note of the `DPoP-Nonce` of an answer; returns whether it is a nonce. @param isDemanded it refused the request */
  learn(place: ProofPlace, untrustedNonce: string | undefined, isDemanded: boolean): boolean
}

/**
 * The place of a route.
 *
 * @param proofUrl where the API knows itself under another name
 */
export function createProofPlace(
  { upstreamPath }: Pick<TargetRule, 'upstreamPath'>,
  upstream: URL,
  proofUrl: URL | undefined,
): ProofPlace {
  const named = proofUrl ?? upstream
  return {
    nonceOrigin: upstream.origin,
    base: `${named.origin}${named.pathname.replace(/\/+$/, '')}`,
    skipped: upstreamPath.length,
  }
}

/** Makes them. @param now the clock, epoch milliseconds */
export function createUpstreamProofs(nonces: NonceMemory, now: () => number): UpstreamProofs {
  const hashes = new WeakMap<AccessToken, string>()
  const hashOf = (token: AccessToken): string => {
    const known = hashes.get(token)
    if (known !== undefined) return known
    const hash = sha256(token.value)
    hashes.set(token, hash)
    return hash
  }
  return {
    proofFor(place, { method, target, session, demandedNonce }, token) {
      const key = token.boundTo === undefined ? undefined : dpopKeyOf(session?.binding)
      if (key === undefined) return undefined
      const proof = {
        method,
        url: urlOf(place, target),
        accessTokenHash: hashOf(token),
        nonce: demandedNonce ?? nonces.newest(place.nonceOrigin),
      }
      return createDpopProof(key, proof, now())
    },
    learn: ({ nonceOrigin }, untrustedNonce, isDemanded) =>
      nonces.learn(nonceOrigin, untrustedNonce, isDemanded),
  }
}

/** `htu`: the address without its query (RFC 9449 section 4.2). The root of an origin has a slash. */
function urlOf({ base, skipped }: ProofPlace, target: string): string {
  const queryAt = target.indexOf('?')
  const rest = target.slice(skipped, queryAt === -1 ? undefined : queryAt)
  const isRoot = rest === '' && base.indexOf('/', base.indexOf('//') + 2) === -1
  return isRoot ? `${base}/` : `${base}${rest}`
}
