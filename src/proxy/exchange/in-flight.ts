import type { Dispatcher } from 'undici'

/** A request under way, as the pool sees it: something that must not be silent for too long. */
export interface InFlight extends Dispatcher.DispatchHandler {
  /** Where it stands among those under way; negative while it does not. Kept by {@link InFlightRequests}. */
  place: number
  /** Called at every sweep with the number of sweeps so far. */
  checkSilence(sweep: number): void
}

/**
 * The requests under way, at most so many. A list and not a `Set`: when a set grows over its deleted entries, V8 lets the old table
 * refer to the new one, and once an old table has reached the old generation every request of the chain behind it survives until
 * the next major collection.
 */
export class InFlightRequests {
  readonly #most: number
  readonly #requests: InFlight[] = []

  constructor(most: number) {
    this.#most = most
  }

  /** Takes one of the places; false when all are taken. */
  enter(request: InFlight): boolean {
    if (this.#requests.length >= this.#most) return false
    request.place = this.#requests.push(request) - 1
    return true
  }

  /** Gives the place back; the last one moves into it. Does nothing for a request that has none. */
  leave(request: InFlight): void {
    const { place } = request
    if (place < 0) return
    request.place = -1
    const last = this.#requests.pop()
    if (last === undefined || last === request) return
    this.#requests[place] = last
    last.place = place
  }

  /** From the end, because a request that is given up leaves its place to one that was asked already. */
  checkSilence(sweep: number): void {
    for (let place = this.#requests.length - 1; place >= 0; place -= 1) {
      this.#requests[place]?.checkSilence(sweep)
    }
  }
}
