/**
 * The browser's side of Coatcheck: a few functions around the gateway's endpoints. It imports nothing from outside this folder, so
 * the built files can be served as they are. It never sees a token: there is none to see.
 */

import { fetchApi } from './api-fetch.ts'
import type { Coatcheck, CoatcheckOptions } from './contract.ts'
import { createLogin } from './login.ts'
import { withQuery } from './own-address.ts'
import { GatewayProblem, saysSessionEnded } from './problems.ts'
import { fetchSession, type Session, type UserClaims } from './session.ts'
import { SessionState } from './session-state.ts'
import { keepEventSource, keepWebSocket } from './streams.ts'
import { withoutBrowser } from './without-browser.ts'

export type { Coatcheck, CoatcheckOptions } from './contract.ts'
export type { LoginOptions } from './login.ts'
export { GatewayProblem, LoginLoopError, SessionEndedError } from './problems.ts'
export type { Session, SignedIn, SignedOut, TimeLeft, UserClaims } from './session.ts'
export { createSessionStore, type SessionStatus, type SessionStore } from './session-store.ts'

/**
 * Creates the helper; one per page. While rendering on a server it can be created too: it listens to nothing there, and rejects what only a
 * browser can do.
 *
 * @throws TypeError when `authPrefix` leads to another origin
 */
export function createCoatcheck<Claims extends object = UserClaims>(
  options: CoatcheckOptions = {},
): Coatcheck<Claims> {
  return typeof document === 'undefined' ? withoutBrowser : inBrowser(options)
}

function inBrowser<Claims extends object>({ authPrefix = '' }: CoatcheckOptions): Coatcheck<Claims> {
  const endpoint = (path: string): string => withQuery(authPrefix + path, {})
  const [loginUrl, logoutUrl] = [endpoint('/login'), endpoint('/logout')]
  const [sessionUrl, refreshUrl] = [endpoint('/session'), endpoint('/session/refresh')]
  const state = new SessionState<Claims>((method) =>
    method === 'GET'
      ? fetchSession(sessionUrl, method)
      : fetchSession<Claims>(refreshUrl, method).catch((error) => signedOutOr(error, loginUrl)),
  )
  const logIn = createLogin(state, loginUrl)
  return {
    getSession: () => state.ask(),
    refreshSession: () => state.keepAlive(),
    login: (options = {}) => logIn(options),
    logout({ returnTo } = {}) {
      state.announce('signing-out')
      postForm(withQuery(logoutUrl, returnTo === undefined ? {} : { returnTo }))
    },
    apiFetch: (input, init) => fetchApi(state, input, init),
    openEventSource: (address, use) => keepEventSource(state, address, use),
    openWebSocket: (address, use, protocols) => keepWebSocket(state, address, use, protocols),
    onSessionChanged(listener) {
      state.startTicking()
      return state.changes.listen(listener)
    },
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
function signedOutOr<Claims extends object>(error: unknown, loginUrl: string): Session<Claims> {
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
