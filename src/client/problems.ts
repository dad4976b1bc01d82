import { ownPath } from './own-address.ts'

/** A refusal of the gateway, from its problem document (RFC 9457). */
export class GatewayProblem extends Error {
  override readonly name: string = 'GatewayProblem'
  /** One of the gateway's stable codes, or `unknown` when something else answered. */
  readonly code: string
  /** The HTTP status. */
  readonly status: number
  constructor(code: string, status: number, detail: string) {
    super(detail)
    this.code = code
    this.status = status
  }
}

/** The session has ended; `code` says how. The API did not act on the request. */
export class SessionEndedError extends GatewayProblem {
  override readonly name = 'SessionEndedError'
}

/** Two logins within 60 s did not help; a third would not either. */
export class LoginLoopError extends Error {
  override readonly name = 'LoginLoopError'
}

/** The members of a problem document of the gateway that the helper reads. */
export interface Problem {
  readonly code: string
  readonly detail: string | undefined
  readonly loginUrl: string | undefined
}

/** What the gateway's own problem documents say of their type, before the code. */
const typePrefix = 'urn:coatcheck:problem:'

/**
 * The gateway's problem document, or `undefined` when the answer is anybody else's: an API may use the same words for something of its
 * own, but not the same `type`. The answer's body stays readable.
 */
export async function readProblem(response: Response): Promise<Problem | undefined> {
  if (!response.headers.get('content-type')?.startsWith('application/problem+json')) return undefined
  // Where a redirect has led elsewhere, nobody there speaks for the gateway.
  if (response.redirected && new URL(response.url).origin !== location.origin) return undefined
  const content: unknown = await response
    .clone()
    .json()
    .catch(() => undefined)
  const read = (member: string): string | undefined => {
    const value: unknown = typeof content === 'object' && content !== null ? Reflect.get(content, member) : ''
    return typeof value === 'string' ? value : undefined
  }
  const code = read('code')
  if (code === undefined || read('type') !== typePrefix + code) return undefined
  const loginUrl = read('loginUrl')
  // The gateway names addresses of this origin only, so whoever names another is not the gateway.
  if (loginUrl !== undefined && ownPath(loginUrl) === undefined) return undefined
  return { code, detail: read('detail'), loginUrl }
}

const endedCodes: ReadonlySet<string> = new Set(['session_missing', 'session_expired', 'refresh_refused'])

/** Whether a problem's code says that there is no session (any more). */
export function saysSessionEnded(code: string): boolean {
  return endedCodes.has(code)
}

/** Refusals of the moment, which the gateway gives instead of forwarding. */
const passingCodes: ReadonlySet<string> = new Set([
  'session_store_unavailable',
  'provider_unavailable',
  'overloaded',
  'draining',
  'upstream_nonce',
])

/** A longer wait is the caller's business, seconds. */
const longestWaitSeconds = 10

/** How long the gateway asks to wait before a repeat, milliseconds; `undefined`: a repeat would not help. */
export function repeatAfterMs({ code }: Problem, response: Response): number | undefined {
  if (!passingCodes.has(code)) return undefined
  const text = response.headers.get('retry-after') ?? ''
  const seconds = /^\d{1,5}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY
  return seconds <= longestWaitSeconds ? seconds * 1000 : undefined
}
