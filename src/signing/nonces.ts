import { createRecentMap } from '../basics/recent-map.ts'

/**
 * The nonces that servers want to see in DPoP proofs (RFC 9449 sections 8 and 9): the newest of each origin, whoever it was handed to. One for
 * the whole process, so that a session does not pay for what another one has learned.
 */
export interface NonceMemory {
  /** The newest nonce of a server; `undefined`: it has named none. @param origin as `URL.origin` writes it */
  newest(origin: string): string | undefined
  /**
   * Takes note of what an answer brought; returns whether it is a nonce. Anything else is passed over.
   *
   * @param isDemanded it came with a refusal. Any other answer may be late, and does not bring back a nonce that a newer one has replaced
   */
  learn(origin: string, untrustedNonce: string | null | undefined, isDemanded: boolean): boolean
}

interface Known {
  readonly nonce: string
  /** Those before it, the newest first. */
  readonly replaced: readonly string[]
}

/** As many servers as one process talks to, and more; a forgotten nonce costs one repetition. */
const mostOrigins = 1_000
/** Answers that are under way while a server changes its nonce bring one that is hardly older than the one before. */
const mostReplaced = 4
/** RFC 9449 section 8.1 allows fewer characters; what is visible is safe in a proof, which is JSON. */
const nonceForm = /^[!-~]{1,1024}$/

/** Makes an empty memory. */
export function createNonceMemory(): NonceMemory {
  const known = createRecentMap<Known>(mostOrigins)
  return {
    newest: (origin) => known.get(origin)?.nonce,
    learn(origin, untrustedNonce, isDemanded) {
      if (typeof untrustedNonce !== 'string' || !nonceForm.test(untrustedNonce)) return false
      const { nonce, replaced = [] } = known.get(origin) ?? {}
      if (nonce === untrustedNonce || (!isDemanded && replaced.includes(untrustedNonce))) return true
      const before = nonce === undefined ? [] : [nonce, ...replaced].slice(0, mostReplaced)
      known.set(origin, { nonce: untrustedNonce, replaced: before })
      return true
    },
  }
}
