import type { ServerResponse } from 'node:http'
import type { ResponseHead } from '../headers/response-headers.ts'

/** The browser's side of an exchange: writes an answer as it comes, with the fewest writes on the connection. */
export class AnswerWriter {
  readonly #response: ServerResponse
  #hasWritten = false
  /** Announced bytes of the body that are still to come; negative when none were announced. */
  #remainingBytes = -1

  constructor(response: ServerResponse) {
    this.#response = response
  }

  /**
   * Begins the answer. What comes together with the head goes out with it; without such the head goes alone, at once.
   *
   * @throws TypeError when the head holds what HTTP forbids; nothing is written then
   */
  begin(status: number, statusText: string, head: ResponseHead): void {
    try {
      this.#response.writeHead(status, reasonPhrase(statusText), head.headers)
    } catch (error) {
      // Node has taken it already, and the answer that is written instead has its own.
      this.#response.statusMessage = ''
      throw error
    }
    this.#remainingBytes = head.contentLength
    process.nextTick(flushHead, this)
  }

  /** Returns false when the browser is slower, and calls `whenDrained` once it has caught up. */
  write(chunk: Buffer, whenDrained: () => void): boolean {
    this.#hasWritten = true
    this.#remainingBytes -= chunk.length
    if (this.#remainingBytes === 0) {
      this.#response.end(chunk)
      return true
    }
    if (this.#response.write(chunk)) return true
    this.#response.once('drain', whenDrained)
    return false
  }

  end(): void {
    if (!this.#response.writableEnded) this.#response.end()
  }

  /** A cut connection tells the browser that the answer is not whole. */
  cut(): void {
    this.#response.destroy()
  }

  /** The browser can be told something else: it is there, and has seen nothing yet. */
  get isUntouched(): boolean {
    return !this.#response.destroyed && !this.#response.headersSent
  }

  get isFinished(): boolean {
    return this.#response.writableFinished
  }

  flushIfSilent(): void {
    if (!this.#hasWritten && !this.#response.writableEnded) this.#response.flushHeaders()
  }
}

const notPlain = /[^\u0020-\u007e]/

/** The phrase's bytes as they came: undici has read them as UTF-8, and Node writes one character per byte. */
function reasonPhrase(statusText: string): string {
  return notPlain.test(statusText) ? Buffer.from(statusText).toString('latin1') : statusText
}

function flushHead(writer: AnswerWriter): void {
  writer.flushIfSilent()
}
