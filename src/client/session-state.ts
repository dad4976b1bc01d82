import type { Session } from './client.ts'

/** What is left of a session, whole seconds. */
export interface TimeLeft {
  readonly expiresIn: number
  readonly idleExpiresIn: number
}

type Message = { readonly type: 'session'; readonly session: Session } | { readonly type: 'signing-out' }

const channelName = 'coatcheck'

/** When other tabs look again after one said that it signs out, milliseconds: the sign-out is still on its way. */
const recheckAfterMs = [0, 150, 350, 700, 1_500, 4_000]

/** How often activity in this tab asks the gateway for the new idle end, milliseconds. */
const resyncMs = 30_000

const secondsLeft = (endMs: number, nowMs: number): number => Math.max(0, Math.ceil((endMs - nowMs) / 1000))

/** What this page knows of the session, shared with the other tabs of the origin. It has timers and a channel, so it is closed. */
export class SessionState {
  readonly endedListeners = new Set<() => void>()
  readonly countdownListeners = new Set<(left: TimeLeft) => void>()
  readonly #channel = new BroadcastChannel(channelName)
  readonly #ask: () => Promise<unknown>
  #ends: { readonly absoluteMs: number; readonly idleMs: number; readonly learnedMs: number } | undefined
  #ticker: ReturnType<typeof setInterval> | undefined

  /** @param ask asks the gateway who is signed in; its answer comes back through {@link SessionState.learn} */
  constructor(ask: () => Promise<unknown>) {
    this.#ask = () => ask().catch(() => undefined)
    this.#channel.onmessage = (event: MessageEvent<Message>) => {
      if (event.data.type === 'session') this.#learn(event.data.session)
      else void this.#recheck()
    }
  }

  /** Takes an answer of the gateway, tells the other tabs, and tells the listeners when the session has ended. */
  learn(session: Session): void {
    this.#channel.postMessage({ type: 'session', session } satisfies Message)
    this.#learn(session)
  }

  #learn(session: Session): void {
    const wasSignedIn = this.#ends !== undefined
    const nowMs = Date.now()
    this.#ends = session.authenticated
      ? {
          absoluteMs: nowMs + session.expiresIn * 1000,
          idleMs: nowMs + Math.min(session.idleExpiresIn, session.expiresIn) * 1000,
          learnedMs: nowMs,
        }
      : undefined
    if (wasSignedIn && this.#ends === undefined) for (const listener of this.endedListeners) listener()
  }

  /** Tells the other tabs that this one is about to sign out. */
  announceSignOut(): void {
    this.#channel.postMessage({ type: 'signing-out' } satisfies Message)
  }

  async #recheck(): Promise<void> {
    for (const waitMs of recheckAfterMs) {
      await new Promise((resolve) => setTimeout(resolve, waitMs))
      if (this.#ends === undefined) return
      await this.#ask()
    }
  }

  /** Call after activity: learns the new idle end now and then. */
  noteActivity(): void {
    if (this.#ends !== undefined && Date.now() - this.#ends.learnedMs > resyncMs) void this.#ask()
  }

  /** Starts the countdown, once. */
  startTicking(): void {
    this.#ticker ??= setInterval(() => this.#tick(), 1000)
  }

  #tick(): void {
    if (this.#ends === undefined) return
    const nowMs = Date.now()
    const left = {
      expiresIn: secondsLeft(this.#ends.absoluteMs, nowMs),
      idleExpiresIn: secondsLeft(this.#ends.idleMs, nowMs),
    }
    for (const listener of this.countdownListeners) listener(left)
    // Another tab may have kept the session alive: ask before believing our own clock.
    if (left.idleExpiresIn === 0) void this.#ask()
  }

  close(): void {
    clearInterval(this.#ticker)
    this.#channel.close()
  }
}
