import type { Sessions } from '../../session/lifecycle/sessions.ts'
import { idleEndsAtMs, type SessionLimits, type SessionView } from '../../session/record/session.ts'
import type { Metrics } from '../../telemetry/metrics.ts'

/** A WebSocket or event stream; it lives no longer than its session. */
export interface OpenStream {
  readonly kind: 'websocket' | 'sse'
  /** `undefined` on routes without sessions, like `session`. */
  readonly sessionId: string | undefined
  readonly session: SessionView | undefined
  /** The session is over: says so to the browser and ends. */
  endSession(): void
  /** The process stops: takes leave of the browser. Like the other, it leaves no connection behind after {@link goodbyeMs}. */
  goAway(): void
}

/** All open streams of this process. */
export interface OpenStreams {
  add(stream: OpenStream): void
  remove(stream: OpenStream): void
  /** WebSockets of a session that are open here. */
  countWebSockets(h: string): number
  /** The stream's session was active just now; its idle end moves. */
  noteActivity(h: string): void
  /** Sends all streams away and waits until they are gone. Later ones are sent away at once. */
  drain(): Promise<void>
}

/** What the registry needs. */
export interface OpenStreamsDependencies {
  readonly sessions: Pick<Sessions, 'find' | 'exist' | 'subscribe' | 'isLive'>
  readonly metrics: Pick<Metrics, 'openStreams'>
  readonly limits: SessionLimits
  readonly now: () => number
}

/** A browser that does not answer a goodbye is cut off after this, milliseconds. */
export const goodbyeMs = 2_000

/** While changes may go unheard sessions are looked at this often, so that their streams end within a second; milliseconds. */
const unheardCheckMs = 500

/** An end that could not be confirmed is looked at again after this, milliseconds. */
const recheckMs = 1_000

/** setTimeout takes no more; a longer wait is waited in parts. */
const longestTimerMs = 2_147_483_647

/** Streams without a session are kept under this key, which is the hash of none. */
const noSession = ''

/** The streams of one session, and the timer for its end. */
interface Entry {
  readonly streams: Set<OpenStream>
  /** A refresh may bring it nearer. */
  endsAtMs: number
  lastSeenAtMs: number
  timer: NodeJS.Timeout | undefined
}

/** Creates the registry. It listens and checks only while streams are open. */
export function createOpenStreams(dependencies: OpenStreamsDependencies): OpenStreams {
  return new StreamRegistry(dependencies)
}

class StreamRegistry implements OpenStreams {
  readonly #dependencies: OpenStreamsDependencies
  readonly #entries = new Map<string, Entry>()
  /** Sessions that may have ended and are looked at next. */
  readonly #suspects = new Set<string>()
  /** Those of them that were named: something about them is new. */
  readonly #told = new Set<string>()
  #unsubscribe: (() => void) | undefined
  #poll: NodeJS.Timeout | undefined
  #isDraining = false
  #whenEmpty: (() => void) | undefined

  constructor(dependencies: OpenStreamsDependencies) {
    this.#dependencies = dependencies
  }

  add(stream: OpenStream): void {
    const { session, kind } = stream
    this.#watch()
    const entry = this.#entryOf(session)
    entry.streams.add(stream)
    this.#dependencies.metrics.openStreams(kind, 1)
    if (session !== undefined) {
      this.#arm(session.h, entry)
      // It may have ended between the guard and here.
      this.#suspect(session.h)
    }
    if (this.#isDraining) stream.goAway()
  }

  remove(stream: OpenStream): void {
    const h = stream.session?.h ?? noSession
    const entry = this.#entries.get(h)
    if (entry?.streams.delete(stream) !== true) return
    this.#dependencies.metrics.openStreams(stream.kind, -1)
    if (entry.streams.size > 0) return
    clearTimeout(entry.timer)
    this.#entries.delete(h)
    if (this.#entries.size === 0) this.#unwatch()
  }

  countWebSockets(h: string): number {
    let count = 0
    for (const { kind } of this.#entries.get(h)?.streams ?? []) if (kind === 'websocket') count += 1
    return count
  }

  noteActivity(h: string): void {
    const entry = this.#entries.get(h)
    if (entry !== undefined) entry.lastSeenAtMs = this.#dependencies.now()
  }

  async drain(): Promise<void> {
    this.#isDraining = true
    const open = this.#all()
    if (open.length === 0) return
    const empty = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve
    })
    for (const stream of open) stream.goAway()
    if (this.#entries.size > 0) await empty
  }

  #all(): readonly OpenStream[] {
    return [...this.#entries.values()].flatMap(({ streams }) => [...streams])
  }

  #watch(): void {
    if (this.#unsubscribe !== undefined) return
    const { sessions } = this.#dependencies
    this.#unsubscribe = sessions.subscribe((h) => this.#suspect(h))
    this.#poll = setInterval(() => {
      if (!sessions.isLive()) this.#suspect(undefined)
    }, unheardCheckMs).unref()
  }

  #unwatch(): void {
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
    clearInterval(this.#poll)
    this.#whenEmpty?.()
  }

  #entryOf(session: SessionView | undefined): Entry {
    const h = session?.h ?? noSession
    const known = this.#entries.get(h)
    if (known !== undefined) return known
    const entry: Entry = {
      streams: new Set(),
      endsAtMs: session?.endsAtMs ?? Number.POSITIVE_INFINITY,
      lastSeenAtMs: this.#dependencies.now(),
      timer: undefined,
    }
    this.#entries.set(h, entry)
    return entry
  }

  /** Something changed: the sessions concerned are read again, all in one go. */
  #suspect(h: string | undefined): void {
    if (h !== undefined && !this.#entries.has(h)) return
    if (this.#suspects.size === 0) setImmediate(() => void this.#checkSuspects())
    if (h === undefined) for (const each of this.#entries.keys()) this.#suspects.add(each)
    else this.#tell(h)
    this.#suspects.delete(noSession)
  }

  #tell(h: string): void {
    this.#suspects.add(h)
    this.#told.add(h)
  }

  async #checkSuspects(): Promise<void> {
    const hs = [...this.#suspects]
    const told = new Set(this.#told)
    this.#suspects.clear()
    this.#told.clear()
    if (hs.length === 0) return
    try {
      const found = await this.#dependencies.sessions.exist(hs)
      for (const [at, h] of hs.entries()) {
        const entry = this.#entries.get(h)
        if (found[at] === false) this.#endSession(h)
        else if (entry !== undefined && told.has(h)) await this.#reread(h, entry)
      }
    } catch {
      // A store that does not answer ends no session; it is asked again.
      setTimeout(() => {
        for (const h of hs) this.#suspect(h)
      }, recheckMs).unref()
    }
  }

  #endSession(h: string): void {
    for (const stream of [...(this.#entries.get(h)?.streams ?? [])]) stream.endSession()
  }

  #arm(h: string, entry: Entry, notBeforeMs = 0): void {
    const { limits, now } = this.#dependencies
    clearTimeout(entry.timer)
    const endMs = Math.min(entry.endsAtMs, idleEndsAtMs(entry, limits))
    const waitMs = Math.min(Math.max(endMs - now(), notBeforeMs), longestTimerMs)
    entry.timer = setTimeout(() => void this.#checkEnd(h, entry), waitMs).unref()
  }

  /** At the absolute end nothing is asked. At the idle end the session may have been active elsewhere. */
  async #checkEnd(h: string, entry: Entry): Promise<void> {
    if (this.#dependencies.now() >= entry.endsAtMs) return this.#endSession(h)
    await this.#reread(h, entry, recheckMs).catch(() => {
      // As above: no answer is no end.
      if (this.#entries.get(h) === entry) this.#arm(h, entry, recheckMs)
    })
  }

  /** Takes both ends from the session as it is now, and waits for the nearer one. */
  async #reread(h: string, entry: Entry, notBeforeMs = 0): Promise<void> {
    const [stream] = entry.streams
    if (stream?.sessionId === undefined) return
    const view = await this.#dependencies.sessions.find(stream.sessionId)
    if (view === undefined) return this.#endSession(h)
    entry.lastSeenAtMs = Math.max(entry.lastSeenAtMs, view.lastSeenAtMs)
    entry.endsAtMs = Math.min(entry.endsAtMs, view.endsAtMs)
    if (this.#entries.get(h) === entry) this.#arm(h, entry, notBeforeMs)
  }
}
