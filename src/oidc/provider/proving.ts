import type { BoundedFetch } from '../../network/provider-network.ts'
import type { DpopKey } from '../../signing/dpop-key.ts'
import { createDpopProof, proofUrl } from '../../signing/dpop-proof.ts'
import type { NonceMemory } from '../../signing/nonces.ts'
import { asksForNonce } from './failures/provider-error.ts'

/** With what a request to the provider proves that its sender has a key (RFC 9449). */
export interface Possession {
  readonly key: DpopKey
  /** `sha256` of the access token that goes with the request; `undefined` where none does. */
  readonly accessTokenHash?: string
}

/** What making proofs needs. */
export interface ProvingDependencies {
  readonly nonces: NonceMemory
  readonly now: () => number
}

/** With which a provider says that it wants its nonce (RFC 9449 sections 8 and 9). */
const refusals: ReadonlySet<number> = new Set([400, 401])

/**
 * A `fetch` for one exchange, which puts a proof into each request, for the address as everybody knows it, and takes note of the nonces that
 * come back. A request that is refused for want of a nonce is not repeated here: its client assertion would be used twice. {@link withNonce}
 * does that; it is given the very nonce that was asked for, because each node of a provider may have one of its own, and answers to others
 * have brought newer ones meanwhile.
 */
export function proving(
  fetch: BoundedFetch,
  { key, accessTokenHash }: Possession,
  { nonces, now }: ProvingDependencies,
): BoundedFetch {
  let demanded: string | undefined
  return async (untrustedUrl, init) => {
    const url = new URL(untrustedUrl)
    const nonce = demanded ?? nonces.newest(url.origin)
    const dpop = createDpopProof(
      key,
      { method: init.method, url: proofUrl(url), accessTokenHash, nonce },
      now(),
    )
    const response = await fetch(untrustedUrl, { ...init, headers: { ...init.headers, dpop } })
    const isRefused = refusals.has(response.status)
    const untrustedNonce = response.headers.get('dpop-nonce') ?? undefined
    const isNonce = nonces.learn(url.origin, untrustedNonce, isRefused)
    demanded = isRefused && isNonce ? untrustedNonce : undefined
    return response
  }
}

/**
 * Asks, and asks once more when the provider wants to see its nonce in the proof (RFC 9449 section 8): by then it is known.
 *
 * @throws whatever the last attempt throws
 */
export async function withNonce<Result>(ask: () => Promise<Result>): Promise<Result> {
  try {
    return await ask()
  } catch (error) {
    if (!asksForNonce(error)) throw error
    return ask()
  }
}
