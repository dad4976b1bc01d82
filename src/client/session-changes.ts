import type { Session } from './session.ts'

/** Who is signed in, as far as somebody has to hear of it: another user, other claims, or nobody; never the time that is left. */
export class SessionChanges<Claims extends object> {
  readonly #listeners = new Set<(session: Session<Claims>) => void>()
  #seen: string | undefined

  /** Whether the gateway has said so at all. */
  get hasSeen(): boolean {
    return this.#seen !== undefined
  }

  /** Tells the listeners when this is not what was seen before. One that throws spoils nothing for the others. */
  see(session: Session<Claims>): void {
    const seen = session.authenticated ? JSON.stringify(session.user) : ''
    if (seen === this.#seen) return
    this.#seen = seen
    for (const listener of this.#listeners) queueMicrotask(() => listener(session))
  }

  /** @returns stops it */
  listen(listener: (session: Session<Claims>) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
