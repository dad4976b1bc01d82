import { DeviceWatch } from './device-watch.ts'
import { LoginTurn } from './login-turn.ts'
import type { Session, TimeLeft } from './session.ts'
import { SessionChanges } from './session-changes.ts'

type Message<Claims extends object> =
  | {
      readonly type: 'session'
      readonly session: Session<Claims>
      /** When the gateway was asked, epoch milliseconds; all tabs have one clock. */
      readonly askedMs: number
      /** Asked only because another tab said something. */
      readonly isHearsay: boolean
    }
  | { readonly type: 'signing-in' }
  | { readonly type: 'signing-out' }
  /** A page to itself: what was said before has been heard when this is. */
  | { readonly type: 'echo'; readonly id: number }

const channelName = 'coatcheck'

/** When other tabs look again after one said that it signs out, milliseconds from look to look: its form is still on its way. */
const recheckAfterMs = [75, 75, 150, 200, 250, 750, 2_500]

/** A page's word to itself takes no longer, milliseconds. */
const echoWithinMs = 1_000

/** How often activity in this tab asks the gateway for the new idle end, milliseconds. */
const resyncMs = 30_000

/** How often the gateway is asked while the session seems to be over, milliseconds. */
const doubtMs = 5_000

/** A tick that comes so late has been slept through, or the clock was set; hidden pages tick once a minute, milliseconds. */
const missedMs = 120_000

interface Known {
  readonly subject: unknown
  readonly absoluteMs: number
  readonly idleMs: number
  readonly learnedMs: number
}

const secondsLeft = (endMs: number, nowMs: number): number => Math.max(0, Math.ceil((endMs - nowMs) / 1000))

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * What this page knows of the session, shared with the other tabs of the origin. Only answers of the gateway to this very tab begin or
 * end a session here; what other tabs say is a reason to ask. It has timers and a channel, so it is closed.
 */
export class SessionState<Claims extends object = object> {
  readonly turn = new LoginTurn()
  readonly endedListeners = new Set<() => void>()
  readonly changes = new SessionChanges<Claims>()
  readonly countdownListeners = new Set<(left: TimeLeft) => void>()
  readonly #device = new DeviceWatch(() => this.#look())
  readonly #channel = new BroadcastChannel(channelName)
  readonly #echoes = new Map<number, () => void>()
  readonly #fetch: (method: 'GET' | 'POST') => Promise<Session<Claims>>
  readonly #closing = new AbortController()
  /** One request at a time: answers can never overtake each other. */
  #last: Promise<unknown> = Promise.resolve()
  /** The next question, not yet sent: whoever asks before it is sent shares its answer. */
  #next: Promise<Session<Claims>> | undefined
  /** Whether the next question is asked for want of knowledge, not only on another tab's word. */
  #nextIsOurs = false
  #known: Known | undefined
  #askedMs = 0
  #ticker: ReturnType<typeof setInterval> | undefined
  #tickedMs = Date.now()

  /** @param fetchSession gets the session: `GET` looks, `POST` counts as activity */
  constructor(fetchSession: (method: 'GET' | 'POST') => Promise<Session<Claims>>) {
    this.#fetch = fetchSession
    this.#channel.onmessage = ({ data }: MessageEvent<Message<Claims>>) => this.#hear(data)
    const { signal } = this.#closing
    document.addEventListener('visibilitychange', () => this.#onVisible(), { signal })
    addEventListener('pageshow', ({ persisted }) => persisted && this.#onVisible(), { signal })
  }

  /** Asks the gateway who is signed in; the answer is younger than the call. */
  ask(): Promise<Session<Claims>> {
    this.#nextIsOurs = true
    return this.#ask()
  }

  /** Counts as activity; answers like {@link SessionState.ask}. */
  keepAlive(): Promise<Session<Claims>> {
    return this.#inTurn(() => [this.#fetch('POST'), false])
  }

  /** Call after activity: learns the new idle end now and then. */
  noteActivity(): void {
    if (this.#known !== undefined && Date.now() - this.#known.learnedMs > resyncMs) this.#look()
  }

  /** A stream is kept open from now on: this device stays proven for it. The returned function says that it no longer is. */
  streamOpened(): () => void {
    const streamClosed = this.#device.streamOpened()
    if (!this.changes.hasSeen) this.#look()
    return streamClosed
  }

  /** Tells the other tabs that this one is about to leave for the login page, or to sign out. */
  announce(type: 'signing-in' | 'signing-out'): void {
    if (type === 'signing-in') this.turn.weLeave()
    this.#channel.postMessage({ type } satisfies Message<Claims>)
  }

  /**
   * Resolves when all that other tabs have said was heard. Browsers promise no order between messages and locks: the lock of a page that has
   * left may come before its word that it leaves.
   */
  async caughtUp(): Promise<void> {
    const id = Math.random()
    const sender = new BroadcastChannel(channelName)
    await new Promise<void>((resolve) => {
      this.#echoes.set(id, resolve)
      sender.postMessage({ type: 'echo', id } satisfies Message<Claims>)
      setTimeout(resolve, echoWithinMs)
    })
    this.#echoes.delete(id)
    sender.close()
  }

  /** Starts watching the session's end, once. */
  startTicking(): void {
    if (this.#ticker !== undefined) return
    this.#tickedMs = Date.now()
    this.#ticker = setInterval(() => this.#tick(), 1000)
  }

  close(): void {
    clearInterval(this.#ticker)
    this.#closing.abort()
    this.turn.close()
    this.#device.close()
    this.#channel.close()
    this.#known = undefined
  }

  #ask(): Promise<Session<Claims>> {
    this.#next ??= this.#inTurn(() => {
      this.#next = undefined
      const isHearsay = !this.#nextIsOurs
      this.#nextIsOurs = false
      return [this.#fetch('GET'), isHearsay]
    })
    return this.#next
  }

  #inTurn(get: () => [Promise<Session<Claims>>, boolean]): Promise<Session<Claims>> {
    const answer = this.#last.then(async () => {
      const askedMs = Date.now()
      this.#askedMs = askedMs
      const [answered, isHearsay] = get()
      const session = await answered
      if (!this.#closing.signal.aborted) {
        this.#channel.postMessage({ type: 'session', session, askedMs, isHearsay } satisfies Message<Claims>)
        this.#take(session)
      }
      return session
    })
    this.#last = answer.catch(() => undefined)
    return answer
  }

  /** Asks, for what follows from the answer alone. */
  #look(): void {
    this.ask().catch(() => undefined)
  }

  #take(session: Session<Claims>): void {
    const before = this.#known
    const nowMs = Date.now()
    if (session.authenticated) this.turn.weAreSignedIn()
    this.#known = session.authenticated
      ? {
          subject: Reflect.get(session.user, 'sub'),
          absoluteMs: nowMs + session.expiresIn * 1000,
          idleMs: nowMs + Math.min(session.idleExpiresIn, session.expiresIn) * 1000,
          learnedMs: nowMs,
        }
      : undefined
    // Somebody else's session is the end of this one: the page still shows the former user's data.
    if (before !== undefined && before.subject !== this.#known?.subject) this.#tellEnded()
    else if (before !== undefined && this.#known === undefined) this.#tellEnded()
    this.#device.see(session)
    this.changes.see(session)
  }

  /** A listener that throws spoils nothing for the others. */
  #tellEnded(): void {
    for (const listener of this.endedListeners) queueMicrotask(listener)
  }

  #hear(message: Message<Claims>): void {
    if (message.type === 'signing-in') this.turn.otherLeft()
    else if (message.type === 'signing-out') void this.#recheck()
    else if (message.type === 'echo') this.#echoes.get(message.id)?.()
    else if (!message.session.authenticated) {
      if (this.#known !== undefined) this.#lookOnHearsay()
    } else {
      this.turn.otherSignedIn()
      if (this.#known !== undefined) this.#take(message.session)
      // Two tabs that are told different things do not ask each other for ever.
      else if (this.changes.hasSeen && !message.isHearsay && message.askedMs > this.#askedMs)
        this.#lookOnHearsay()
    }
  }

  #lookOnHearsay(): void {
    this.#ask().catch(() => undefined)
  }

  async #recheck(): Promise<void> {
    for (const waitMs of recheckAfterMs) {
      await pause(waitMs)
      if (this.#known === undefined) return
      await this.ask().catch(() => undefined)
    }
  }

  /** Timers of a hidden tab hardly run, and those of a sleeping machine not at all. */
  #onVisible(): void {
    if (document.visibilityState === 'visible' && this.changes.hasSeen) this.#look()
  }

  #tick(): void {
    const nowMs = Date.now()
    const passedMs = nowMs - this.#tickedMs
    this.#tickedMs = nowMs
    if (this.#known === undefined) return
    // What was worked out by another clock is worth nothing.
    if (passedMs < 0 || passedMs > missedMs) this.#look()
    const left = {
      expiresIn: secondsLeft(this.#known.absoluteMs, nowMs),
      idleExpiresIn: secondsLeft(this.#known.idleMs, nowMs),
    }
    // Another tab may have kept the session alive: ask before believing our own clock.
    if (left.idleExpiresIn === 0 && nowMs - this.#askedMs >= doubtMs) this.#look()
    for (const listener of this.countdownListeners) queueMicrotask(() => listener(left))
  }
}
