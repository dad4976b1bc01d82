/** A refusal of the gateway, from its problem document (RFC 9457). */
export class GatewayProblem extends Error {
  override readonly name: string = 'GatewayProblem'
  readonly code: string
  readonly status: number
  constructor(code: string, status: number, detail: string) {
    super(detail)
    this.code = code
    this.status = status
  }
}

/** The session has ended; `code` says how. Nothing was sent to the API. */
export class SessionEndedError extends GatewayProblem {
  override readonly name = 'SessionEndedError'
}

/** Two logins within 60 s did not help; a third would not either. */
export class LoginLoopError extends Error {
  override readonly name = 'LoginLoopError'
}

/** The members of a problem document that the helper reads. */
export interface Problem {
  readonly code?: string
  readonly detail?: string
  readonly loginUrl?: string
}

/** The problem document of an answer, or `undefined` when there is none. The answer's body stays readable. */
export async function readProblem(response: Response): Promise<Problem | undefined> {
  if (!response.headers.get('content-type')?.startsWith('application/problem+json')) return undefined
  try {
    return (await response.clone().json()) as Problem
  } catch {
    return undefined
  }
}

const endedCodes = new Set(['session_missing', 'session_expired', 'refresh_refused'])

/** Whether the problem says that there is no session (any more). An API's own 401 is no such problem. */
export function saysSessionEnded(problem: Problem): boolean {
  return problem.code !== undefined && endedCodes.has(problem.code)
}

/** Refusals that the gateway gives before it forwards anything, so that a repeat is safe for every method. */
const repeatableCodes = new Set([
  'session_store_unavailable',
  'provider_unavailable',
  'overloaded',
  'draining',
])

/** A longer wait is the caller's business, seconds. */
const longestWaitSeconds = 10

/** How long to wait before the request may be repeated, milliseconds; `undefined`: do not repeat it. */
export function repeatAfterMs(problem: Problem, response: Response): number | undefined {
  if (!repeatableCodes.has(problem.code ?? '')) return undefined
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return seconds >= 0 && seconds <= longestWaitSeconds ? seconds * 1000 : undefined
}
