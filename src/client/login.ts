import { isLoginLoop } from './login-loop.ts'
import { withQuery } from './own-address.ts'
import { LoginLoopError } from './problems.ts'
import type { Session } from './session.ts'
import type { SessionState } from './session-state.ts'

/** Options of a login. */
export interface LoginOptions {
  /** Where to come back to, a path of this origin; default: this page, fragment included. */
  readonly returnTo?: string
  /** Parameters that the gateway's `LOGIN_PARAMETERS` lets through, such as `login_hint`. */
  readonly parameters?: Readonly<Record<string, string>>
  /** A person pressed the button: sign in again even when signed in, wait for no other tab, and do not count it as part of a loop. */
  readonly byUser?: boolean
}

/** Only the tab that holds this lock may leave for the login page. */
const loginLock = 'coatcheck:login'

/** A page that has not gone by then (somebody pressed Stop) lets other tabs go; milliseconds. */
const leaveWithinMs = 10_000

/** The gateway returns to no longer address, bytes. */
const maxReturnToBytes = 2_048

/** For a page that is leaving: nothing that waits for this goes on. */
const forever = (): Promise<never> => new Promise(() => undefined)

/** This page, or as much of its address as the gateway returns to. */
function here(): string {
  const { pathname, search, hash } = location
  const candidates = [pathname + search + hash, pathname + search, pathname]
  // A query may hold a backslash as it is, which readers of addresses disagree about.
  return candidates.map((path) => path.replaceAll('\\', '%5C')).find(isShort) ?? '/'
}

const isShort = (path: string): boolean => new TextEncoder().encode(path).length <= maxReturnToBytes

function leaveFor(state: Pick<SessionState, 'announce'>, loginUrl: string, options: LoginOptions): void {
  state.announce('signing-in')
  location.assign(withQuery(loginUrl, { ...options.parameters, returnTo: options.returnTo ?? here() }))
}

function stopLoop(text: string): void {
  if (isLoginLoop(Date.now())) throw new LoginLoopError(text)
}

/**
 * Makes `login`: it leaves for the login page, or resolves to the session when there is one. Calls that meet while nobody has left yet are one:
 * thirty answers of 401 send the page to one login. Whoever comes back by the browser's Back, still not signed in, is sent there again.
 *
 * @param loginUrl the path of `/login`
 * @throws LoginLoopError, and what asking for the session throws
 */
export function createLogin<Claims extends object>(
  state: SessionState<Claims>,
  loginUrl: string,
): (options: LoginOptions) => Promise<Session<Claims>> {
  let underWay: Promise<Session<Claims>> | undefined
  const release = (): void => {
    underWay = undefined
  }
  async function logIn(options: LoginOptions): Promise<Session<Claims>> {
    for (;;) {
      await state.turn.come()
      if (state.turn.isClosed) return forever()
      const outcome = await locked(() => leaveUnlessSignedIn(state, options))
      if (outcome === 'not our turn') continue
      if (!('cameBack' in outcome)) return outcome
      // The page is still here: somebody has pressed Stop, so the next call is a new one.
      release()
      await outcome.cameBack
    }
  }
  return (options) => {
    if (options.byUser === true) {
      leaveFor(state, loginUrl, options)
      return forever()
    }
    underWay ??= logIn(options).finally(release)
    return underWay
  }
}

async function leaveUnlessSignedIn<Claims extends object>(
  state: SessionState<Claims>,
  options: LoginOptions,
): Promise<Session<Claims> | { readonly cameBack: Promise<void> } | 'not our turn'> {
  const [session] = await Promise.all([state.ask(), state.caughtUp()])
  if (session.authenticated) return session
  if (!state.turn.isOurs()) return 'not our turn'
  stopLoop('Signing in does not last. Reload the page or tell the operator.')
  leaveFor(state, session.loginUrl, options)
  const cameBack = comeBack()
  // The lock is kept until the page has gone; it goes with it.
  await Promise.race([cameBack, new Promise((resolve) => setTimeout(resolve, leaveWithinMs))])
  return { cameBack }
}

/** Resolves when this page, which has left, is shown again as it was: from the back/forward cache. */
function comeBack(): Promise<void> {
  return new Promise((resolve) => {
    const heard = new AbortController()
    const hear = ({ persisted }: PageTransitionEvent): void => {
      if (!persisted) return
      heard.abort()
      resolve()
    }
    addEventListener('pageshow', hear, { signal: heard.signal })
  })
}

async function locked<Result>(work: () => Promise<Result>): Promise<Result> {
  // Pages outside secure contexts have no locks; there the announcement has to do.
  if (!('locks' in navigator)) return work()
  return await navigator.locks.request(loginLock, work)
}

/**
 * Leaves for the stronger sign-in that an API asked for (RFC 9470). Resolves only when the page comes back as it was.
 *
 * @throws LoginLoopError
 */
export async function stepUp(state: Pick<SessionState, 'announce'>, loginUrl: string): Promise<undefined> {
  stopLoop('The stronger sign-in does not satisfy the API.')
  leaveFor(state, loginUrl, {})
  await comeBack()
}
