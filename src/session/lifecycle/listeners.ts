import type { SessionChanges } from '../store/contract.ts'

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
