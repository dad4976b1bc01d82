import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { hasBody, keepReadable, lingerMs } from './body.ts'
import { type LifeConnection, RequestLife } from './life.ts'
import type { UpgradeSocket } from './upgrade.ts'

/** A connection from which nothing has come for so long is asked whether its other end is still there, milliseconds. */
const keepAliveProbeMs = 60_000

/** No client sends so many requests ahead. */
const mostIgnored = 100

/** So many requests in line on a connection are worked on at once; each may hold a file or a call, and keep the beginning of its answer. */
const mostBegun = 32

/** More in line are no client's: a connection that brings them is closed. */
const mostInLine = 1_000

const connectionKey = Symbol('connection')

/** A socket of the listener. */
export interface OwnedSocket extends Socket {
  [connectionKey]?: BrowserConnection
}

/** The connection of a listener's socket. */
export function connectionOf(socket: Duplex): BrowserConnection | undefined {
  return (socket as OwnedSocket)[connectionKey]
}

/** A client's connection, with the requests on it that are not over. */
export class BrowserConnection implements LifeConnection {
  readonly socket: Socket
  readonly openedAtMs = performance.now()
  readonly #lives: RequestLife[] = []
  /** What begins the work on those in line whose turn has not come, the next one first; they are the last of the lives. */
  #waiting: (() => void)[] = []
  /** A request has come on it. */
  isUsed = false
  /** The last answer on it is written: whatever still comes is thrown away. */
  isEnding = false
  /** Bytes that had moved when the connection was last looked at, fewer than any before that, and when they became more. */
  #movedBytes = -1
  #movedAtMs = 0
  #askedFlushedBytes = 0
  #ignored = 0

  constructor(socket: OwnedSocket) {
    this.socket = socket
    socket[connectionKey] = this
    socket.setKeepAlive(true, keepAliveProbeMs)
    socket.once('end', () => this.#closedByClient())
    socket.once('close', () => this.abandon())
  }

  /** The last answer on it is asked for, or written: what still comes is no request to anybody (RFC 9112 section 9.6). */
  get isClosing(): boolean {
    return this.isEnding || this.#lives.at(-1)?.response.shouldKeepAlive === false || !this.socket.writable
  }

  /** The last request on it has come whole: what comes behind it belongs to nothing. */
  get isAskedOut(): boolean {
    return this.isClosing && this.#lives.at(-1)?.request.complete !== false
  }

  /** Whether an answer is owed on it: what is written by hand now would be taken for part of that. */
  get isBusy(): boolean {
    return this.#lives.length > 0
  }

  get lives(): readonly RequestLife[] {
    return this.#lives
  }

  /** A request that came behind the last one is not answered. Node keeps something for each of them, so that there may not be many. */
  ignore(): void {
    this.#ignored += 1
    if (this.#ignored > mostIgnored) this.destroy()
  }

  begin(request: IncomingMessage, response: ServerResponse, upgrade?: UpgradeSocket): RequestLife {
    this.isUsed = true
    const life = new RequestLife(request, response, this, upgrade)
    this.#lives.push(life)
    if (upgrade === undefined && hasBody(request)) keepReadable(life)
    return life
  }

  /** Whether the newest request on it is worked on at once. */
  get isInTurn(): boolean {
    return this.#lives.length <= mostBegun
  }

  wait(work: () => void): void {
    if (this.#lives.length > mostInLine) this.destroy()
    else this.#waiting.push(work)
  }

  /** Begins the work on all that wait: what is routed later, while the framework closes, becomes the last answer. */
  beginAll(): void {
    for (const work of this.#waiting.splice(0)) work()
  }

  forget(life: RequestLife): void {
    if (this.#lives.at(-1) === life) this.#lives.pop()
    else {
      const at = this.#lives.indexOf(life)
      if (at !== -1) this.#lives.splice(at, 1)
    }
    if (this.#waiting.length > 0 && this.socket.writable) this.#waiting.shift()?.()
  }

  /**
   * The last answer was written. A connection that is closed with bytes unread is reset, and a reset may overtake the answer: so only
   * our side is closed, what comes is thrown away, and the end is waited for, for a while.
   */
  endInOrder(): void {
    if (this.isEnding) return
    this.isEnding = true
    const { socket } = this
    const cut = setTimeout(() => socket.destroy(), lingerMs).unref()
    socket.once('close', () => clearTimeout(cut)).once('end', () => socket.destroy())
    socket.end()
    socket.resume()
  }

  /**
   * Closes our side when the client has closed its own; what is written reaches it. Node does so by itself, unless what the client left unfinished
   * is an error to its parser: then that is all that it says, and an answer in line behind one that nobody waits for any more would keep the
   * connection for ever.
   */
  closeBehindClient(): void {
    if (this.socket.readableEnded) this.socket.end()
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** Whether what waits for the client goes out, though slowly: more of it has reached the system since this was last asked. */
  isFlushing(): boolean {
    const { socket } = this
    const flushed = socket.bytesWritten - socket.writableLength
    const isSlow = socket.writableLength > 0 && flushed !== this.#askedFlushedBytes
    this.#askedFlushedBytes = flushed
    return isSlow
  }

  /**
   * Since when nothing has moved although something waits, milliseconds of `performance.now`; 0: it moves, or nothing waits. What waits is an
   * answer that does not go out, or the client's bytes on a connection that is not read from: behind them nobody hears that it has left.
   */
  stuckSinceMs(nowMs: number): number {
    const { socket } = this
    const isUnsent = socket.writableLength > 0
    const flushed = socket.bytesWritten - socket.writableLength
    const moved = isUnsent ? flushed : flushed + socket.bytesRead
    const isWaiting = isUnsent || socket.isPaused()
    if (!isWaiting || moved !== this.#movedBytes) {
      this.#movedBytes = moved
      this.#movedAtMs = nowMs
      return 0
    }
    return this.#movedAtMs
  }

  /** Whatever is owed on it is over. */
  abandon(): void {
    this.#waiting = []
    for (const life of [...this.#lives]) life.end('browser_gone')
  }

  /** Of a client that closes its side nobody knows whether it still reads: only what was handed over whole is left to reach it. */
  #closedByClient(): void {
    this.#waiting = []
    for (const life of [...this.#lives]) if (!life.response.writableEnded) life.end('browser_gone')
  }
}
