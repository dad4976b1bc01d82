import { textOf } from '../../basics/text.ts'
import { type ExpectedProof, ProofError, verifyDpopProof } from '../../signing/dpop-verifier.ts'
import { sha256 } from '../../signing/thumbprints.ts'
import type { AccessRequest } from '../request.ts'
import type { AccessRules } from '../rules/rules.ts'
import type { BearerCaller } from './bearer-callers.ts'
import { bearerRefusal, proofRefusal } from './challenges.ts'

/** Proofs of callers, each taken once (RFC 9449 section 11.1). Kept in this process alone. */
export interface UsedProofs {
  /** False when it was used before, or too many are remembered to tell. */
  take(thumbprint: string, jti: string, usableUntilMs: number): boolean
}

/** About 150 bytes each; with more within a minute nobody is let in rather than anybody twice. */
const mostRemembered = 100_000

/** Makes an empty memory. */
export function createUsedProofs(now: () => number): UsedProofs {
  const used = new Map<string, number>()
  const forgetOld = (): void => {
    // In order of arrival, which is nearly that of their ends.
    for (const [name, untilMs] of used) {
      if (untilMs > now()) return
      used.delete(name)
    }
  }
  return {
    take(thumbprint, jti, usableUntilMs) {
      forgetOld()
      const name = `${thumbprint} ${jti}`
      if (used.has(name) || used.size >= mostRemembered) return false
      used.set(name, usableUntilMs)
      return true
    },
  }
}

/** What checking a proof needs. */
export interface ProofCheck {
  readonly rules: AccessRules
  readonly usedProofs: UsedProofs
  readonly now: () => number
}

/**
 * Whether a caller has shown possession as its token demands (RFC 9449 section 7).
 *
 * @param scheme the one that stood before the token
 * @param spends false where the question is only asked: the proof stays usable
 * @throws GatewayError `bearer_invalid`
 */
export function expectPossession(
  { rules, usedProofs, now }: ProofCheck,
  request: AccessRequest,
  { facts, token }: BearerCaller,
  scheme: 'bearer' | 'dpop',
  spends: boolean,
): void {
  const { thumbprint } = facts
  if (thumbprint === undefined) {
    if (scheme === 'dpop') throw bearerRefusal(rules, 'the token is bound to no key')
    return
  }
  if (scheme !== 'dpop') throw bearerRefusal(rules, 'the token is bound to a key: the scheme must be DPoP')
  const { dpop } = request.headers
  const url = new URL(request.raw.url ?? '/', rules.resource)
  const expected: ExpectedProof = {
    method: request.method,
    url,
    accessTokenHash: sha256(token.value),
    thumbprint,
    nowMs: now(),
  }
  const proof = verify(rules, textOf(dpop), expected)
  if (spends && !usedProofs.take(thumbprint, proof.jti, proof.usableUntilMs))
    throw proofRefusal(rules, 'the proof was used before')
}

function verify(rules: AccessRules, untrustedProof: string | undefined, expected: ExpectedProof) {
  try {
    return verifyDpopProof(untrustedProof, expected)
  } catch (error) {
    throw error instanceof ProofError ? proofRefusal(rules, error.message) : error
  }
}
