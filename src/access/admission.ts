import type { AccessToken } from '../oidc/tokens/token-set.ts'
import type { SessionView } from '../session/record/session.ts'
import type { BearerCaller } from './callers/bearer-callers.ts'

/** The one decision's yes: what was found out about a request that may go on (DESIGN-2, "one decision, many positions"). */
export interface Admission {
  /** The target to ask the upstream for. */
  readonly target: string
  readonly sessionId: string | undefined
  /** `undefined` on routes without a session, for anonymous requests of optional ones, and for bearers. */
  readonly session: SessionView | undefined
  /** The caller who has brought a token instead of a session. */
  readonly bearer: BearerCaller | undefined
  /** What goes upstream as `authorization`. */
  readonly token: AccessToken | undefined
  /** Headers that tell the API who calls; names and values in turn. */
  readonly identityHeaders: readonly string[] | undefined
  /** The caller's sign-in is fresh enough for the route's rule until then, epoch milliseconds; `undefined` without a rule. */
  readonly freshUntilMs: number | undefined
  /** Until then the request's proof of its device counts, epoch milliseconds; `undefined` where none is demanded. */
  readonly provenUntilMs: number | undefined
}

/**
 * What an API is sent as `authorization`; `undefined` sends none.
 *
 * @param proof the value of `dpop` that is sent beside it
 */
export function authorizationOf(
  token: AccessToken | undefined,
  proof: string | undefined,
): string | undefined {
  if (token === undefined) return undefined
  return `${proof === undefined ? 'Bearer' : 'DPoP'} ${token.value}`
}
