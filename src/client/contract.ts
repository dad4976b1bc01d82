import type { LoginOptions } from './login.ts'
import type { Session, TimeLeft, UserClaims } from './session.ts'

/** Options of `createCoatcheck`. */
export interface CoatcheckOptions {
  /** `AUTH_PREFIX` of the gateway; default none. */
  readonly authPrefix?: string
}

/** What `createCoatcheck` returns; `Claims` is the type of `session.user`, which the gateway's `USER_CLAIMS` fill. */
export interface Coatcheck<Claims extends object = UserClaims> {
  /** Asks the gateway who is signed in. Never counts as activity. Rejects with `GatewayProblem` when it does not say. */
  getSession(): Promise<Session<Claims>>
  /** The same, but counts as activity ("stay signed in"), and refreshes the tokens if due. */
  refreshSession(): Promise<Session<Claims>>
  /**
   * Leaves for the login page, one tab at a time; when another tab has signed in meanwhile it resolves to that session instead.
   * Rejects with `LoginLoopError` at the third login within 60 s that no person asked for.
   */
  login(options?: LoginOptions): Promise<Session<Claims>>
  /** Leaves through a form post, so that no script ever reads the provider's logout URL. */
  logout(options?: { readonly returnTo?: string }): void
  /**
   * `fetch` for the API. An ended session rejects with `SessionEndedError`; a step-up navigates; a 503 of the gateway is
   * repeated as told, for idempotent methods. Every other answer, 401 and 403 of the API included, is returned as it is.
   */
  apiFetch(input: string | URL | Request, init?: RequestInit): Promise<Response>
  /**
   * Keeps an event stream of a guarded route open across faults, sign-outs and the back/forward cache. `use` gets each new
   * `EventSource`, to add its listeners. Returns a function that stops it.
   *
   * @throws TypeError for an address of another origin
   */
  openEventSource(address: string, use: (source: EventSource) => void): () => void
  /** The same for a WebSocket, which the gateway closes with 4401 when the session ends; one closed with 1000 stays closed. */
  openWebSocket(address: string, use: (socket: WebSocket) => void, protocols?: string | string[]): () => void
  /**
   * Calls back with the session at the first answer of the gateway and whenever somebody else, or somebody with other claims, or nobody is
   * signed in, in whichever tab that happened. Returns a function that stops it.
   */
  onSessionChanged(listener: (session: Session<Claims>) => void): () => void
  /** Calls back when the session that this page knew has ended, wherever that happened. Returns a function that stops it. */
  onSessionEnded(listener: () => void): () => void
  /** Calls back every second with what is left of the session. Returns a function that stops it. */
  onCountdown(listener: (left: TimeLeft) => void): () => void
  /** Stops timers and closes the channel between tabs. */
  close(): void
}
