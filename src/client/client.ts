/**
 * The browser's side of Coatcheck: a few functions around the gateway's endpoints. It imports nothing from outside this folder, so
 * the built files can be served as they are. It never sees a token: there is none to see.
 */

import { isLoginLoop } from './login-loop.ts'
import {
  GatewayProblem,
  LoginLoopError,
  type Problem,
  readProblem,
  repeatAfterMs,
  SessionEndedError,
  saysSessionEnded,
} from './problems.ts'
import { SessionState, type TimeLeft } from './session-state.ts'

export { GatewayProblem, LoginLoopError, SessionEndedError }

/** The signed-in answer of `GET /session`. */
export interface SignedIn {
  readonly authenticated: true
  readonly user: Readonly<Record<string, unknown>>
  /** Whole seconds until the session ends whatever happens. */
  readonly expiresIn: number
  /** Whole seconds until it ends for want of activity. */
  readonly idleExpiresIn: number
  readonly loginUrl: string
  readonly logoutUrl: string
}

/** The answer of `GET /session`. */
export type Session = SignedIn | { readonly authenticated: false; readonly loginUrl: string }

/** Options of {@link createCoatcheck}. */
export interface CoatcheckOptions {
  /** `AUTH_PREFIX` of the gateway; default none. */
  readonly authPrefix?: string
}

/** Options of {@link Coatcheck.login}. */
export interface LoginOptions {
  /** Where to come back to; default: this page, fragment included. */
  readonly returnTo?: string
  /** Parameters that the gateway's `LOGIN_PARAMETERS` lets through, such as `login_hint`. */
  readonly parameters?: Readonly<Record<string, string>>
  /** A person pressed the button: sign in again even when signed in, and do not count it as part of a loop. */
  readonly byUser?: boolean
}

/** What {@link createCoatcheck} returns. */
export interface Coatcheck {
  /** Asks the gateway who is signed in. Never counts as activity. Rejects with {@link GatewayProblem} on a 5xx. */
  getSession(): Promise<Session>
  /**
   * Leaves for the login page, one tab at a time; when another tab has signed in meanwhile it resolves to that session instead.
   * Rejects with {@link LoginLoopError} at the third login within 60 s that no person asked for.
   */
  login(options?: LoginOptions): Promise<Session>
  /** Leaves through a form post, so that no script ever reads the provider's logout URL. */
  logout(options?: { readonly returnTo?: string }): void
  /**
   * `fetch` for the API. An ended session rejects with {@link SessionEndedError}; a step-up navigates; a 503 of the gateway is
   * repeated as told. Every other answer, 401 and 403 of the API included, is returned as it is.
   */
  apiFetch(input: string | URL, init?: RequestInit): Promise<Response>
  /** Calls back when the session has ended, in this tab or in another one. Returns a function that stops it. */
  onSessionEnded(listener: () => void): () => void
  /** Calls back every second with what is left of the session. Returns a function that stops it. */
  onCountdown(listener: (left: TimeLeft) => void): () => void
  /** Stops timers and closes the channel between tabs. */
  close(): void
}

/** Only the tab that holds this lock may leave for the login page. */
const loginLock = 'coatcheck:login'

const maxRepeats = 2

/** For a page that is leaving: nothing that waits for this goes on. */
const forever = (): Promise<never> => new Promise(() => undefined)

const here = (): string => location.pathname + location.search + location.hash

function withQuery(path: string, parameters: Readonly<Record<string, string>>): string {
  const url = new URL(path, location.origin)
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url.pathname + url.search
}

/** Creates the helper; one per page. */
export function createCoatcheck(options: CoatcheckOptions = {}): Coatcheck {
  const prefix = options.authPrefix ?? ''
  const state: SessionState = new SessionState(() => getSession())
  const getSession = () => fetchSession(prefix, state)
  return {
    getSession,
    login: (loginOptions = {}) => leaveInTurn(() => leaveForLogin(getSession, loginOptions)),
    logout({ returnTo } = {}) {
      state.announceSignOut()
      postForm(withQuery(`${prefix}/logout`, returnTo === undefined ? {} : { returnTo }))
    },
    apiFetch: (input, init = {}) => fetchApi(prefix, state, input, init),
    onSessionEnded: (listener) => listen(state.endedListeners, listener),
    onCountdown(listener) {
      state.startTicking()
      return listen(state.countdownListeners, listener)
    },
    close: () => state.close(),
  }
}

function listen<Listener>(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

async function fetchSession(prefix: string, state: SessionState): Promise<Session> {
  const response = await fetch(`${prefix}/session`, { headers: { 'X-CSRF': '1' }, cache: 'no-store' })
  if (!response.ok) {
    const problem = await readProblem(response)
    throw new GatewayProblem(
      problem?.code ?? 'unknown',
      response.status,
      problem?.detail ?? 'The gateway did not answer.',
    )
  }
  const session = (await response.json()) as Session
  state.learn(session)
  return session
}

async function leaveInTurn(leave: () => Promise<Session>): Promise<Session> {
  if (!('locks' in navigator)) return leave()
  return await navigator.locks.request(loginLock, leave)
}

async function leaveForLogin(getSession: () => Promise<Session>, options: LoginOptions): Promise<Session> {
  const session = await getSession()
  if (options.byUser !== true) {
    if (session.authenticated) return session
    if (isLoginLoop(Date.now()))
      throw new LoginLoopError('Signing in does not last. Reload the page or tell the operator.')
  }
  location.assign(
    withQuery(session.loginUrl, { ...options.parameters, returnTo: options.returnTo ?? here() }),
  )
  return forever()
}

function postForm(action: string): void {
  const form = document.createElement('form')
  form.method = 'post'
  form.action = action
  document.body.append(form)
  form.submit()
}

async function fetchApi(
  prefix: string,
  state: SessionState,
  input: string | URL,
  init: RequestInit,
): Promise<Response> {
  const headers = new Headers(init.headers)
  headers.set('X-CSRF', '1')
  for (let repeatsLeft = init.body instanceof ReadableStream ? 0 : maxRepeats; ; repeatsLeft -= 1) {
    const response = await fetch(input, { ...init, headers })
    const problem = await readProblem(response)
    if (problem === undefined) {
      state.noteActivity()
      return response
    }
    await actOn(problem, response, prefix, state)
    const waitMs = repeatAfterMs(problem, response)
    if (waitMs === undefined || repeatsLeft === 0) return response
    await new Promise((resolve) => setTimeout(resolve, waitMs))
  }
}

/** What only the gateway may say: the session has ended, or the API wants a stronger sign-in. */
async function actOn(
  problem: Problem,
  response: Response,
  prefix: string,
  state: SessionState,
): Promise<void> {
  if (saysSessionEnded(problem)) {
    state.learn({ authenticated: false, loginUrl: problem.loginUrl ?? `${prefix}/login` })
    throw new SessionEndedError(
      problem.code ?? '',
      response.status,
      problem.detail ?? 'The session has ended.',
    )
  }
  if (problem.code !== 'step_up_required' || problem.loginUrl === undefined) return
  if (isLoginLoop(Date.now())) throw new LoginLoopError('The stronger sign-in does not satisfy the API.')
  location.assign(withQuery(problem.loginUrl, { returnTo: here() }))
  await forever()
}
