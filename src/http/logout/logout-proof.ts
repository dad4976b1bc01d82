import type { Sealer } from '../../sealing/sealer.ts'
import { hashSessionId } from '../../session/record/keys.ts'

/** Shows that a logout form was made by this gateway, for this session, lately (DESIGN section 2.4). */
export interface LogoutProofs {
  issue(sessionId: string): string
  /** Whether it was issued for this session within this hour or the one before. */
  isValid(sessionId: string, untrustedProof: string): boolean
}

const hourMs = 3_600_000

/** Creates the proofs of logout forms. */
export function createLogoutProofs(sealer: Sealer, now: () => number): LogoutProofs {
  const subject = (sessionId: string, hour: number) => JSON.stringify([hashSessionId(sessionId), hour])
  const currentHour = () => Math.floor(now() / hourMs)
  return {
    issue: (sessionId) => sealer.hmac('csrf-form', subject(sessionId, currentHour())),
    isValid: (sessionId, untrustedProof) =>
      [currentHour(), currentHour() - 1].some((hour) =>
        sealer.isHmac('csrf-form', subject(sessionId, hour), untrustedProof),
      ),
  }
}
