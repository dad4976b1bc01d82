import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'

/** What undici reads of a stream's state: that it need not be destroyed at its end, and that its length is unknown. */
const streamState = { autoDestroy: true, objectMode: false, ended: false, length: 0 } as const

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

  constructor(source: IncomingMessage, observer: UploadObserver) {
    super()
    this.#source = source
    this.#observer = observer
  }

  /** Undici tells streams by this method, and never calls it. */
  pipe(): never {
    throw new TypeError('an upload is read by its events')
  }

  resume(): this {
    this.isPaused = false
    if (this.#isAttached) this.#source.resume()
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

  #attach(): void {
    this.#isAttached = true
    this.#source.on('data', this.#onData).on('end', this.#onEnd)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.bytes += chunk.length
    if (this.#observer.mayPass(this.bytes)) this.emit('data', chunk)
  }

  readonly #onEnd = (): void => {
    this.isEnded = true
    this.emit('end')
  }
}
