import { stepUp } from './login.ts'
import { type Problem, readProblem, repeatAfterMs, SessionEndedError, saysSessionEnded } from './problems.ts'
import type { SessionState } from './session-state.ts'

/** What a call needs of the page's knowledge. */
type CallWatch = Pick<SessionState<object>, 'announce' | 'ask' | 'noteActivity'>

const maxRepeats = 2

/** Methods of which two requests do the same as one (RFC 9110 section 9.2.2). */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/**
 * `fetch` that understands the gateway's problems. Requests to other origins are none of its business and go out as they are.
 *
 * @throws SessionEndedError, LoginLoopError, and what `fetch` throws
 */
export async function fetchApi(
  state: CallWatch,
  input: string | URL | Request,
  init: RequestInit = {},
): Promise<Response> {
  const request = new Request(input instanceof Request ? input : new URL(input, document.baseURI), init)
  if (new URL(request.url).origin !== location.origin) return fetch(request)
  request.headers.set('X-CSRF', '1')
  const isStream = init.body instanceof ReadableStream
  for (let repeats = 0; ; repeats += 1) {
    const mayRepeat = !isStream && repeats < maxRepeats
    const response = await fetch(mayRepeat ? request.clone() : request)
    const problem = await readProblem(response)
    if (problem === undefined) {
      state.noteActivity()
      return response
    }
    const isSafe = mayRepeat && isSafeToRepeat(problem, request.method, repeats)
    const waitMs = await waitFor(state, problem, response, isSafe)
    if (waitMs === undefined || !isSafe) return response
    void response.body?.cancel()
    await pause(waitMs, request.signal)
  }
}

/** The API did not act on a request that was answered so, whatever its method; once is enough, because then what lacked is there. */
const onceMoreCodes: ReadonlySet<string> = new Set(['upstream_nonce', 'device_proof_missing'])

function isSafeToRepeat({ code }: Problem, method: string, repeats: number): boolean {
  return onceMoreCodes.has(code) ? repeats === 0 : idempotentMethods.has(method)
}

/** How long to wait before the request is repeated, milliseconds; `undefined`: the answer is the caller's. */
async function waitFor(
  state: CallWatch,
  problem: Problem,
  response: Response,
  mayRepeat: boolean,
): Promise<number | undefined> {
  if (saysSessionEnded(problem.code)) {
    // The listeners of this page hear it from this answer, and a session that another tab has begun meanwhile shows up in it.
    const session = await state.ask().catch(() => undefined)
    if (mayRepeat && session?.authenticated === true) return 0
    throw new SessionEndedError(problem.code, response.status, problem.detail ?? 'The session has ended.')
  }
  if (problem.code === 'device_proof_missing') return mayRepeat ? proveAgain(state) : undefined
  if (problem.code === 'step_up_required' && problem.loginUrl !== undefined) {
    // Whoever comes back from there by the browser's Back gets the answer as it is.
    return stepUp(state, problem.loginUrl)
  }
  return repeatAfterMs(problem, response)
}

/** On the way to the gateway the browser renews the proof of its device. */
async function proveAgain(state: CallWatch): Promise<number | undefined> {
  const session = await state.ask().catch(() => undefined)
  return session === undefined ? undefined : 0
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    const stop = (): void => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
