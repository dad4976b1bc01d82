import type fastifySession from '@fastify/session'
import type { BeginResult, OpenSession, Sessions } from '../session/sessions.ts'

/** What a login brings to the session that is about to begin; the id comes from @fastify/session. */
export type PendingLogin = Omit<Parameters<Sessions['begin']>[0], 'id'>

/** How @fastify/session's objects lead to our sessions. */
export interface SessionBridge {
  /** Its store: reads, and begins a session only on a save that {@link SessionBridge.beginOnSave} prepared. */
  readonly store: fastifySession.SessionStore
  /** The live session behind `request.session`. */
  openSession(session: object | null): OpenSession | undefined
  /** Makes the next `save()` of a regenerated session begin it; the result is there once that has resolved. */
  beginOnSave(session: object, login: PendingLogin): { result(): BeginResult | undefined }
}
