import type { Coatcheck } from './contract.ts'
import type { Session, UserClaims } from './session.ts'

/** Who is signed in, as a view shows it. `unavailable`: the gateway does not say at the moment; it is asked again. */
export type SessionStatus<Claims extends object = UserClaims> =
  | { readonly status: 'loading' | 'signed-out' | 'unavailable'; readonly user?: undefined }
  | { readonly status: 'signed-in'; readonly user: Claims }

/** A value that views can subscribe to: React's external stores, Svelte's and the like, Vue's refs and Angular's signals by one line each. */
export interface SessionStore<Claims extends object = UserClaims> {
  /** The same object until something changes. */
  get(): SessionStatus<Claims>
  /** Calls back at each change, and asks the gateway when nobody has yet. Returns a function that stops it. */
  subscribe(listener: () => void): () => void
}

/** The first pause before the gateway is asked again, and the longest, milliseconds. */
const firstPauseMs = 1_000
const longestPauseMs = 30_000

/**
 * What the helper knows, as a value: `loading`, then `signed-in`, `signed-out`, or `unavailable` until the gateway answers. A fault
 * after that changes nothing: unknown is not signed out. It works while it has subscribers.
 */
export function createSessionStore<Claims extends object = UserClaims>(
  coatcheck: Pick<Coatcheck<Claims>, 'getSession' | 'onSessionChanged'>,
): SessionStore<Claims> {
  const listeners = new Set<() => void>()
  let current: SessionStatus<Claims> = { status: 'loading' }
  let stop: (() => void) | undefined

  function set(next: SessionStatus<Claims>): void {
    if (JSON.stringify(next) === JSON.stringify(current)) return
    current = next
    for (const listener of listeners) listener()
  }
  function start(): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined
    let isStopped = false
    const ask = async (pauseMs: number): Promise<void> => {
      const session = await coatcheck.getSession().catch(() => undefined)
      if (isStopped) return
      if (session !== undefined) return set(statusOf(session))
      if (current.status === 'loading') set({ status: 'unavailable' })
      timer = setTimeout(() => void ask(Math.min(pauseMs * 2, longestPauseMs)), pauseMs)
    }
    const stopHearing = coatcheck.onSessionChanged((session) => set(statusOf(session)))
    void ask(firstPauseMs)
    return () => {
      isStopped = true
      clearTimeout(timer)
      stopHearing()
    }
  }
  return {
    get: () => current,
    subscribe(listener) {
      listeners.add(listener)
      stop ??= start()
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0) return
        stop?.()
        stop = undefined
      }
    },
  }
}

function statusOf<Claims extends object>(session: Session<Claims>): SessionStatus<Claims> {
  return session.authenticated ? { status: 'signed-in', user: session.user } : { status: 'signed-out' }
}
