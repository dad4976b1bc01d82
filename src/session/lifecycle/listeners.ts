import type { SessionChanges } from '../store/contract.ts'
import { readSessionKey } from '../store/keys.ts'

/** Those who listen to changes of sessions. */
export interface Listeners {
  readonly subscribe: SessionChanges['subscribe']
  /** Tells all of them; `undefined`: anything may have changed. */
  readonly tell: (h: string | undefined) => void
}

/** Makes an empty set of listeners. Listeners must not throw. */
export function createListeners(): Listeners {
  const listeners = new Set<(h: string | undefined) => void>()
  return {
    subscribe(listener) {
      // A wrapper of its own, so that the same function subscribed twice is told twice and removed once.
      const entry = (h: string | undefined): void => listener(h)
      listeners.add(entry)
      return () => listeners.delete(entry)
    },
    tell(h) {
      for (const listener of listeners) listener(h)
    },
  }
}

/** Listeners to the sessions of one frontend. */
export interface FrontendListeners extends Listeners {
  /** Nobody here is told anything any more. */
  close(): void
}

/** The one feed of changes that all frontends share. */
export interface SharedListeners {
  /** An empty set of listeners of a frontend; there may be several sets of one. */
  open(frontend: string | undefined): FrontendListeners
  /** Tells those of the frontend whose session this key is. */
  tellKey(untrustedKey: string): void
  /** Tells everybody that anything may have changed. */
  tellAll(): void
}

/** Makes a feed that nobody listens to yet. */
export function createSharedListeners(): SharedListeners {
  const byFrontend = new Map<string | undefined, Set<Listeners>>()
  return {
    open(frontend) {
      const listeners = createListeners()
      const ofFrontend = byFrontend.get(frontend) ?? new Set()
      byFrontend.set(frontend, ofFrontend.add(listeners))
      const close = (): void => {
        ofFrontend.delete(listeners)
        if (ofFrontend.size === 0 && byFrontend.get(frontend) === ofFrontend) byFrontend.delete(frontend)
      }
      return { ...listeners, close }
    },
    tellKey(untrustedKey) {
      const session = readSessionKey(untrustedKey)
      if (session === undefined) return
      for (const listeners of byFrontend.get(session.frontend) ?? []) listeners.tell(session.h)
    },
    tellAll() {
      for (const ofFrontend of byFrontend.values())
        for (const listeners of ofFrontend) listeners.tell(undefined)
    },
  }
}
