import { GatewayProblem, readProblem } from './problems.ts'

/** What is known of the user where no type was given: the claims that the gateway's `USER_CLAIMS` lets through. */
export type UserClaims = Readonly<Record<string, unknown>>

/** The signed-in answer of `GET /session`. */
export interface SignedIn<Claims extends object = UserClaims> {
  readonly authenticated: true
  readonly user: Claims
  /** Whole seconds until the session ends whatever happens. */
  readonly expiresIn: number
  /** Whole seconds until it ends for want of activity. */
  readonly idleExpiresIn: number
  readonly loginUrl: string
  readonly logoutUrl: string
  /** How the session stands to this device, where the gateway binds sessions to devices. */
  readonly device?: 'bound' | 'unbound' | 'unsupported'
  /** Of a bound session: whole seconds to the end of the proof of this device, which the browser renews. */
  readonly deviceExpiresIn?: number
}

/** The answer when nobody is signed in. */
export interface SignedOut {
  readonly authenticated: false
  readonly loginUrl: string
}

/** The answer of `GET /session`. */
export type Session<Claims extends object = UserClaims> = SignedIn<Claims> | SignedOut

/** What is left of a session, whole seconds. */
export interface TimeLeft {
  readonly expiresIn: number
  readonly idleExpiresIn: number
}

/** Everything else about a session waits for this answer, so it may not take for ever; milliseconds. */
const answerWithinMs = 10_000

/**
 * Asks the gateway for the session: `GET` only looks, `POST` to `/session/refresh` also counts as activity.
 *
 * @throws GatewayProblem for every answer but a session
 */
export async function fetchSession<Claims extends object>(
  url: string,
  method: 'GET' | 'POST',
): Promise<Session<Claims>> {
  const response = await fetch(url, {
    method,
    headers: { 'X-CSRF': '1' },
    cache: 'no-store',
    signal: AbortSignal.timeout(answerWithinMs),
  })
  const problem = await readProblem(response)
  if (!response.ok || response.headers.get('content-type')?.startsWith('application/json') !== true) {
    const detail = problem?.detail ?? `${url} did not answer with a session. Does it reach the gateway?`
    throw new GatewayProblem(problem?.code ?? 'unknown', response.status, detail)
  }
  return (await response.json()) as Session<Claims>
}
