import type { Coatcheck, TimeLeft } from '../client/client.ts'

/** What is left of the session, for React's external stores. */
export interface TimeLeftStore {
  get(): TimeLeft | undefined
  subscribe(listener: () => void): () => void
}

/** Follows the helper's countdown while it has subscribers. */
export function createTimeLeftStore(coatcheck: Pick<Coatcheck<object>, 'onCountdown'>): TimeLeftStore {
  let left: TimeLeft | undefined
  return {
    get: () => left,
    subscribe: (listener) =>
      coatcheck.onCountdown((next) => {
        left = next
        listener()
      }),
  }
}
