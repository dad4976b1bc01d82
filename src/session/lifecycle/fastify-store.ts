import type { SessionStore as FastifyStore } from '@fastify/session'
import type { Session } from 'fastify'
import { GatewayError } from '../../errors/gateway-error.ts'
import { hashSessionId, isSessionId } from '../record/keys.ts'
import type { OpenSession, Sessions } from './sessions.ts'

/** What a callback begins a session with: everything of {@link Sessions.begin} but the id, which is the plugin's. */
export type PendingLogin = Omit<Parameters<Sessions['begin']>[0], 'id'>

declare module 'fastify' {
  interface Session {
    /** Ours; read and written only with the functions of `session/lifecycle/fastify-store.ts`. */
    coatcheck?: SessionHandle
  }
}

/**
 * What the plugin's session object carries of ours. To its hashing and serialising it does not exist: no token is hashed twice a
 * request, none can be written by the plugin, and it never takes a session for modified.
 */
export interface SessionHandle {
  open: OpenSession | undefined
  pending: PendingLogin | undefined
  toJSON(): undefined
}

/** Node's callback form, as the plugin wants it. */
type Callback<Result> = (error: unknown, result?: Result) => void

/**
 * The store that @fastify/session is given, in the scopes that use it; its cookie values are session ids themselves (a
 * pass-through signer that takes only their form, and `newSessionId` as id generator).
 *
 * The plugin cannot write: `set` is ignored, because `regenerate()` calls it with an empty session, and it would run at the end
 * of responses. The one exception is how a callback begins a session:
 *
 * ```ts
 * await request.session.regenerate()             // a new id; ends the session of the request's own cookie, if any
 * attachPendingLogin(request.session, pending)
 * await request.session.save()                   // Sessions.begin under the new id
 * const session = openSessionOf(request.session) // now defined
 * ```
 *
 * `save()` rejects with `session_expired` when a logout came in between, or with whatever `begin` rejected with. The plugin then
 * counts the session as not saved and sets no cookie. A pending login is used up by the first `save()`.
 *
 * Plain callbacks, because the plugin never looks at a returned promise.
 */
export function createFastifySessionStore(sessions: Pick<Sessions, 'open' | 'begin' | 'end'>): FastifyStore {
  return {
    get(id, callback) {
      answer(sessions.open(id).then(toFastifySession), callback)
    },
    set(id, session, callback) {
      const handle = session.coatcheck
      const pending = handle?.pending
      if (handle === undefined || pending === undefined) return callback()
      handle.pending = undefined
      answer(begin(sessions, id, handle, pending), callback)
    },
    destroy(id, callback) {
      if (!isSessionId(id)) return callback()
      answer(sessions.end(hashSessionId(id)), callback)
    },
  }
}

/** The session that the request's cookie opened, or that `save()` has begun. */
export function openSessionOf(session: Session | null | undefined): OpenSession | undefined {
  return session?.coatcheck?.open
}

/** Makes the next `save()` of this session begin it. */
export function attachPendingLogin(session: Session, pending: PendingLogin): void {
  session.coatcheck = createHandle(undefined, pending)
}

function createHandle(open: OpenSession | undefined, pending: PendingLogin | undefined): SessionHandle {
  return { open, pending, toJSON: () => undefined }
}

async function begin(
  sessions: Pick<Sessions, 'begin'>,
  id: string,
  handle: SessionHandle,
  pending: PendingLogin,
): Promise<void> {
  const result = await sessions.begin({ ...pending, id })
  if (result.kind === 'ended_meanwhile') throw new GatewayError('session_expired')
  handle.open = result.session
}

/** The plugin gives it a cookie object of its own, from its options. */
function toFastifySession(open: OpenSession | undefined): Session | null {
  if (open === undefined) return null
  return { coatcheck: createHandle(open, undefined) } as Session
}

/** Calls back once, and never inside the promise, where an error that the callback throws would be swallowed. */
function answer<Result>(work: Promise<Result>, callback: Callback<Result>): void {
  work.then(
    (result) => setImmediate(callback, undefined, result),
    (error: unknown) => setImmediate(callback, error),
  )
}
