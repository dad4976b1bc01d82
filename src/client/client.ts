/**
 * The browser's side of Coatcheck: a few functions around the gateway's endpoints. It imports nothing from outside this folder, so
 * the built files can be served as they are. It never sees a token: there is none to see.
 */

import { fetchApi } from './api-fetch.ts'
import { type LoginOptions, logIn } from './login.ts'
import { withQuery } from './own-address.ts'
import { GatewayProblem, saysSessionEnded } from './problems.ts'
import { fetchSession, type Session, type TimeLeft } from './session.ts'
import { SessionState } from './session-state.ts'

export type { LoginOptions } from './login.ts'
export { GatewayProblem, LoginLoopError, SessionEndedError } from './problems.ts'
export type { Session, SignedIn, SignedOut, TimeLeft } from './session.ts'

/** Options of {@link createCoatcheck}. */
export interface CoatcheckOptions {
  /** `AUTH_PREFIX` of the gateway; default none. */
  readonly authPrefix?: string
}

/** What {@link createCoatcheck} returns. */
export interface Coatcheck {
  /** Asks the gateway who is signed in. Never counts as activity. Rejects with {@link GatewayProblem} when it does not say. */
  getSession(): Promise<Session>
  /** The same, but counts as activity ("stay signed in"), and refreshes the tokens if due. */
  refreshSession(): Promise<Session>
  /**
   * Leaves for the login page, one tab at a time; when another tab has signed in meanwhile it resolves to that session instead.
   * Rejects with {@link LoginLoopError} at the third login within 60 s that no person asked for.
   */
  login(options?: LoginOptions): Promise<Session>
  /** Leaves through a form post, so that no script ever reads the provider's logout URL. */
  logout(options?: { readonly returnTo?: string }): void
  /**
   * `fetch` for the API. An ended session rejects with {@link SessionEndedError}; a step-up navigates; a 503 of the gateway is
   * repeated as told, for idempotent methods. Every other answer, 401 and 403 of the API included, is returned as it is.
   */
  apiFetch(input: string | URL | Request, init?: RequestInit): Promise<Response>
  /** Calls back when the session that this page knew has ended, wherever that happened. Returns a function that stops it. */
  onSessionEnded(listener: () => void): () => void
  /** Calls back every second with what is left of the session. Returns a function that stops it. */
  onCountdown(listener: (left: TimeLeft) => void): () => void
  /** Stops timers and closes the channel between tabs. */
  close(): void
}

/**
 * Creates the helper; one per page, in a browser.
 *
 * @throws TypeError when `authPrefix` leads to another origin
 */
export function createCoatcheck({ authPrefix = '' }: CoatcheckOptions = {}): Coatcheck {
  const endpoint = (path: string): string => withQuery(authPrefix + path, {})
  const [loginUrl, logoutUrl] = [endpoint('/login'), endpoint('/logout')]
  const [sessionUrl, refreshUrl] = [endpoint('/session'), endpoint('/session/refresh')]
  const state = new SessionState((method) =>
    method === 'GET'
      ? fetchSession(sessionUrl, method)
      : fetchSession(refreshUrl, method).catch((error) => signedOutOr(error, loginUrl)),
  )
  return {
    getSession: () => state.ask(),
    refreshSession: () => state.keepAlive(),
    login: (options = {}) => logIn(state, loginUrl, options),
    logout({ returnTo } = {}) {
      state.announce('signing-out')
      postForm(withQuery(logoutUrl, returnTo === undefined ? {} : { returnTo }))
    },
    apiFetch: (input, init) => fetchApi(state, input, init),
    onSessionEnded(listener) {
      state.startTicking()
      return listen(state.endedListeners, listener)
    },
    onCountdown(listener) {
      state.startTicking()
      return listen(state.countdownListeners, listener)
    },
    close: () => state.close(),
  }
}

/** Where nobody is signed in there is nothing to keep alive, which is an answer. */
function signedOutOr(error: unknown, loginUrl: string): Session {
  if (error instanceof GatewayProblem && saysSessionEnded(error.code))
    return { authenticated: false, loginUrl }
  throw error
}

function listen<Listener>(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function postForm(action: string): void {
  const form = document.createElement('form')
  form.method = 'post'
  form.action = action
  document.body.append(form)
  form.submit()
}
