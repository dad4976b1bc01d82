import { Bag, type Bagged } from '../../basics/bag.ts'
import type { SessionView } from '../../session/record/session.ts'

/** What a call is to the browser; a stream stays open without end. */
export type CallKind = 'request' | 'sse' | 'websocket'

/** What ends a stream besides its session (DESIGN-2 sections 6.2, 6.3). */
export interface CallLease {
  /** End of a bearer's token, epoch milliseconds. */
  readonly tokenEndsAtMs: number
  /** From then on the sign-in is too old for the route's rule, epoch milliseconds. */
  readonly freshUntilMs: number
  /** Whether the session, as it is now, meets the rule. */
  readonly stillMeets: (session: SessionView) => Promise<boolean>
  /** The rule is not met any more: says so to the browser and ends. */
  readonly endRights: () => void
}

/** A call to an upstream, of whatever kind: it holds one place of its route from its beginning until the upstream's side has ended. */
export interface Call extends Bagged {
  readonly kind: CallKind
  /** Whose share of the places it takes; `undefined`: nobody's. */
  readonly owner: string | undefined
  /** `undefined` without a session, like `session`. */
  readonly sessionId: string | undefined
  /** The session as it was last seen. */
  session: SessionView | undefined
  /** Until when a stream may stay open without being asked for again: the end of its caller's token, and of a sign-in that is fresh enough. */
  readonly lease?: CallLease
  /** Until then the device of the session is proven, as far as this process knows, epoch milliseconds; `undefined` where it need not be. */
  provenUntilMs: number | undefined
  /** Called at every sweep with the number of sweeps so far. */
  checkSilence(sweep: number): void
  /** The session is over: says so to the browser and ends. Calls that have ended take no notice. */
  endSession(): void
  /** The process stops: a stream takes leave of the browser. Like the other, it leaves no connection behind after {@link goodbyeMs}. */
  goAway(): void
}

/** A browser that does not answer a goodbye is cut off after this, milliseconds. */
export const goodbyeMs = 2_000

/** Why there is no place: none is free, or the caller holds its whole share. */
export type NoPlace = 'full' | 'share'

/** How many places there are, and how many of them one caller may hold. */
export interface PlaceLimits {
  readonly maxInFlight: number
  readonly maxInFlightPerSession: number
}

/** The calls under way of a route. */
export class InFlightCalls {
  readonly #limits: PlaceLimits
  readonly #calls = new Bag<Call>()
  /** Places of each owner that holds any. */
  readonly #held = new Map<string, number>()

  constructor(limits: PlaceLimits) {
    this.#limits = limits
  }

  /** Takes one of the places, or says why not. */
  enter(call: Call): NoPlace | undefined {
    const { owner } = call
    if (owner !== undefined) {
      const held = this.#held.get(owner) ?? 0
      if (held >= this.#limits.maxInFlightPerSession) return 'share'
      if (this.#isFull()) return 'full'
      this.#held.set(owner, held + 1)
    } else if (this.#isFull()) return 'full'
    this.#calls.add(call)
    return undefined
  }

  /** Gives the place back. Does nothing for a call that has none. */
  leave(call: Call): void {
    if (this.#calls.delete(call) && call.owner !== undefined) this.#giveBack(call.owner)
  }

  /** See {@link Bag.visit}: a call may be given up while it is visited. */
  visit(each: (call: Call) => void): void {
    this.#calls.visit(each)
  }

  get size(): number {
    return this.#calls.size
  }

  #isFull(): boolean {
    return this.#calls.size >= this.#limits.maxInFlight
  }

  #giveBack(owner: string): void {
    const held = this.#held.get(owner) ?? 0
    if (held > 1) this.#held.set(owner, held - 1)
    else this.#held.delete(owner)
  }
}
