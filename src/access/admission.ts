import type { AccessToken } from '../oidc/tokens/token-set.ts'
import type { SessionView } from '../session/record/session.ts'

/** The one decision's yes: what was found out about a request that may go on (DESIGN-2, "one decision, many positions"). */
export interface Admission {
  /** The target to ask the upstream for. */
  readonly target: string
  readonly sessionId: string | undefined
  /** `undefined` on routes without a session, and for anonymous requests of optional ones. */
  readonly session: SessionView | undefined
  readonly token: AccessToken | undefined
}
