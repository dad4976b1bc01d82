import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'

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

/** Whether a body follows a request's head (RFC 9112 section 6.3). */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

/** After the answer to an unfinished request, so much longer is the rest read (and thrown away) before the cut, milliseconds. */
const lingerMs = 2_000

/**
 * For a request that is answered before its body has come. Node reads on and throws the rest away, so that the client gets to see
 * the answer instead of a reset; here that is given an end.
 */
export function linger(request: IncomingMessage, response: ServerResponse): void {
  if (request.complete || !hasBody(request)) return
  const cutLater = (): void => {
    const { socket } = request
    const cut = setTimeout(() => void socket.destroy(), lingerMs).unref()
    const stop = (): void => clearTimeout(cut)
    request.once('end', stop).once('close', stop)
  }
  if (response.writableFinished) cutLater()
  else response.once('finish', cutLater)
}
