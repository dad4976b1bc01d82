import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { announcedBytes } from '../../http/lifetime/body.ts'
import { sweepMs } from '../upstream/sweep.ts'

/** What undici reads of a stream's state: that it need not be destroyed at its end, and that its length is unknown. */
const streamState = { autoDestroy: true, objectMode: false, ended: false, length: 0 } as const

/** The system holds about three times what drains in one pause, and a little more. */
const pausesUnderWay = 4

/** A longer body is neither gathered nor sent twice, bytes. */
const smallBytes = 64 * 1024

/** A body must keep its least rate over this, in sweeps and in seconds. */
const paceSeconds = 30
const paceSweeps = (paceSeconds * 1_000) / sweepMs

/** Told about a body as it moves. */
export interface UploadObserver {
  /** A chunk is about to be sent on; false stops the body here. */
  mayPass(totalBytes: number): boolean
}

/**
 * A request's body on its way to the upstream: the chunks themselves, counted, paused and resumed as undici asks. It has the
 * few methods of a stream that undici uses, without a second buffer. Unlike the request itself it may be destroyed without
 * harm: the browser's connection stays whole, so that an early answer can still be read on it.
 */
export class Upload extends EventEmitter {
  readonly _readableState = streamState
  readonly #source: IncomingMessage
  readonly #observer: UploadObserver
  #isAttached = false
  destroyed = false
  /** Nobody wants more at the moment: the upstream is not connected yet, or slower than the browser. */
  isPaused = true
  isEnded = false
  bytes = 0
  /** Sweeps at which the browser could have sent, of the current stretch, and what had come when that began. */
  #lateSweeps = 0
  #bytesBefore = 0
  /** Sweeps for which the upstream has taken nothing now, and the longest time that it did so. */
  #pausedSweeps = 0
  #longestPauseSweeps = 0
  /** What has come before undici asked for it; `undefined` once that is handed over, and where nothing is gathered. */
  #early: Buffer[] | undefined
  /** The chunks so far, of a body that may have to be sent again. */
  #kept: Buffer[] | undefined
  #collected: ((body: Buffer | undefined) => void) | undefined

  constructor(source: IncomingMessage, observer: UploadObserver) {
    super()
    this.#source = source
    this.#observer = observer
  }

  /**
   * Finds out whether all of a small body has come together with its head, as nearly all do. In one piece it is cheaper to send by a third
   * than as it comes; one that is slower is not waited for.
   *
   * @param then is told what to send: in the next turn of the event loop, unless it was given up by then; at once for a body that is large, or
   * of unknown length
   */
  gather(then: (body: Upload | Buffer) => void): void {
    const bytes = announcedBytes(this.#source)
    if (bytes === undefined || bytes > smallBytes) {
      then(this)
      return
    }
    const early: Buffer[] = []
    this.#early = early
    this.#attach()
    this.#source.resume()
    setImmediate(() => {
      // What is left may be on its way behind an early answer already.
      if (this.destroyed) return
      if (this.isEnded) {
        this.#early = undefined
        then(joined(early))
        return
      }
      this.#source.pause()
      then(this)
    })
  }

  /** Keeps a small body beside, while it is sent at once. One that is announced as larger is not waited for later. */
  keep(): void {
    const bytes = announcedBytes(this.#source) ?? 0
    if (bytes <= smallBytes) this.#kept = []
  }

  /**
   * The whole body, once it has come, after the upstream has let go of it; `undefined` when it was not kept or is too large.
   */
  collected(): Promise<Buffer | undefined> {
    if (this.#kept === undefined || this.isEnded) return Promise.resolve(this.#whole())
    const { promise, resolve } = Promise.withResolvers<Buffer | undefined>()
    this.#collected = resolve
    this.isPaused = false
    this.#attach()
    this.#source.resume()
    return promise
  }

  #whole(): Buffer | undefined {
    return this.#kept === undefined ? undefined : Buffer.concat(this.#kept)
  }

  #keep(chunk: Buffer): void {
    if (this.bytes <= smallBytes) {
      this.#kept?.push(chunk)
      return
    }
    this.#kept = undefined
    this.#collected?.(undefined)
  }

  /** Undici tells streams by this method, and never calls it. */
  pipe(): never {
    throw new TypeError('an upload is read by its events')
  }

  resume(): this {
    this.isPaused = false
    if (this.#early !== undefined) process.nextTick(this.#handOverEarly)
    else if (this.#isAttached) this.#source.resume()
    else this.#attach()
    return this
  }

  pause(): this {
    this.isPaused = true
    this.#source.pause()
    return this
  }

  /** Lets go of the request. What is left of its body Node throws away once the answer is finished. */
  destroy(): this {
    if (this.destroyed) return this
    this.destroyed = true
    this.#source.off('data', this.#onData).off('end', this.#onEnd)
    this.emit('close')
    return this
  }

  /** Nothing more of the body is wanted, or to come. */
  get isWhole(): boolean {
    return this.isEnded || (this.destroyed && this.#collected === undefined)
  }

  /**
   * Called at every sweep until the body is whole. Only time in which the upstream takes bytes counts for the browser.
   *
   * @param leastRate bytes a second; 0: any
   * @returns false when the browser is too slow
   */
  keepsPace(leastRate: number): boolean {
    if (this.isPaused) {
      if (this.#isAttached && this.#early === undefined) this.#pausedSweeps += 1
      return true
    }
    this.#lateSweeps += 1
    if (this.#lateSweeps < paceSweeps) return true
    const came = this.bytes - this.#bytesBefore
    this.#lateSweeps = 0
    this.#bytesBefore = this.bytes
    return came >= leastRate * paceSeconds
  }

  /**
   * How long after its last byte was handed over the body may still be on its way, milliseconds. An upstream that reads more slowly than
   * the browser sends pauses while about a third of what the system holds for it drains.
   */
  get underWayMs(): number {
    return this.#longestPauseSweeps * sweepMs * pausesUnderWay
  }

  #endPause(): void {
    this.#longestPauseSweeps = Math.max(this.#longestPauseSweeps, this.#pausedSweeps)
    this.#pausedSweeps = 0
  }

  #attach(): void {
    this.#isAttached = true
    this.#source.on('data', this.#onData).on('end', this.#onEnd)
  }

  readonly #handOverEarly = (): void => {
    const early = this.#early
    if (early === undefined || this.destroyed) return
    this.#early = undefined
    if (early.length > 0) this.emit('data', joined(early))
    if (!this.isPaused) this.#source.resume()
  }

  readonly #onData = (chunk: Buffer): void => {
    this.bytes += chunk.length
    if (this.#pausedSweeps > 0) this.#endPause()
    if (this.#kept !== undefined) this.#keep(chunk)
    if (!this.#observer.mayPass(this.bytes)) return
    if (this.#early === undefined) this.emit('data', chunk)
    else this.#early.push(chunk)
  }

  readonly #onEnd = (): void => {
    this.isEnded = true
    this.#endPause()
    this.#collected?.(this.#whole())
    this.emit('end')
  }
}

/** One piece needs no copy. */
function joined(chunks: readonly Buffer[]): Buffer {
  const [first, ...others] = chunks
  return first !== undefined && others.length === 0 ? first : Buffer.concat(chunks)
}
