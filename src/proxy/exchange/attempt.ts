import type { Call } from '../calls/in-flight.ts'
import type { UpstreamPool } from '../upstream/upstream-pool.ts'

/**
 * What undici has of a call: one attempt at a time. The call's place is given back only when undici has finished with it, so that there
 * are never more requests in its queue, which has no bound, than there are places.
 */
export class Attempt {
  readonly #pool: UpstreamPool
  readonly #call: Call
  #isUnderWay = false
  #isGivenUp = false
  #isReplacing = false
  #wasRepeated = false
  #abort: ((error?: Error) => void) | undefined

  constructor(pool: UpstreamPool, call: Call) {
    this.#pool = pool
    this.#call = call
  }

  begins(): void {
    this.#isUnderWay = true
    this.#abort = undefined
  }

  /** A connection was found for it; nothing is sent on it when nobody waits any more. */
  connected(abort: (error?: Error) => void): void {
    if (this.#isGivenUp) abort()
    else this.#abort = abort
  }

  /** Undici has finished with it, whatever came of it. Returns false when that concerns nobody: the next one takes its place. */
  ended(): boolean {
    this.#isUnderWay = false
    if (this.#isGivenUp) this.#pool.leave(this.#call)
    return !this.#isReplacing
  }

  /** Whether what failed with this error may be sent once more: the connection had been in use and not one byte of an answer came. */
  mayRepeatAfter(error: Error): boolean {
    if (this.#wasRepeated || !this.#pool.endedUnanswered(error)) return false
    this.#wasRepeated = true
    return true
  }

  /** Ends what is under way, for the next attempt. */
  replace(): void {
    this.#isReplacing = true
    this.#abort?.()
    this.#isReplacing = false
  }

  /** Nobody waits for the call any more. */
  giveUp(): void {
    this.#isGivenUp = true
    if (!this.#isUnderWay) this.#pool.leave(this.#call)
    else if (this.#abort === undefined) this.#pool.stopConnecting(this.#call)
    else this.#abort()
  }
}
