import { LRUCache } from 'lru-cache'

/**
 * The nonces that servers want to see in DPoP proofs (RFC 9449 sections 8 and 9): the newest of each origin, whoever it was handed to. One for
 * the whole process, so that a session does not pay for what another one has learned.
 */
export interface NonceMemory {
  /** The newest nonce of a server; `undefined`: it has named none. @param origin as `URL.origin` writes it */
  newest(origin: string): string | undefined
  /** Takes note of what an answer brought; anything that is no nonce is passed over. */
  learn(origin: string, untrustedNonce: string | null | undefined): void
}

/** As many servers as one process talks to, and more; a forgotten nonce costs one repetition. */
const mostOrigins = 1_000
/** RFC 9449 section 8.1 allows fewer characters; what is visible is safe in a proof, which is JSON. */
const nonceForm = /^[!-~]{1,1024}$/

/** Makes an empty memory. */
export function createNonceMemory(): NonceMemory {
  const known = new LRUCache<string, string>({ max: mostOrigins })
  return {
    newest: (origin) => known.get(origin),
    learn(origin, untrustedNonce) {
      if (typeof untrustedNonce === 'string' && nonceForm.test(untrustedNonce))
        known.set(origin, untrustedNonce)
    },
  }
}
