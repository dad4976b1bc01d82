import type { ServerResponse } from 'node:http'
import type { ResponseHead } from '../headers/response-headers.ts'
import type { ProxiedRequest } from './proxied-request.ts'

const noContent = 204
const notModified = 304
/** A body up to this many bytes that is there with its head is cheaper to copy behind it than to hand to the system as a second piece. */
const smallBodyBytes = 2_048

/**
 * So much may wait for a browser before the upstream is told to wait: Node hands what is written to the system at the end of the turn, so that
 * after a whole piece every browser looks slow, and undici pays for each pause by reading what it has a second time.
 */
const aheadBytes = 128 * 1_024

/** A head that is still to be written. */
interface PendingHead {
  readonly status: number
  readonly reason: string
  readonly headers: string[]
}

/**
 * The browser's side of an exchange: writes an answer as it comes, with the fewest writes on the connection. Until the head is written the
 * browser can be told something else, so the answer is taken from the framework only then.
 */
export class AnswerWriter {
  readonly #request: ProxiedRequest
  readonly #response: ServerResponse
  #pendingHead: PendingHead | undefined
  #hasWritten = false
  /** The answer ended with its head, whatever length that announced (RFC 9112 section 6.3); undici takes such a length for a fault. */
  isBodiless = false
  /** Announced bytes of the body that are still to come; negative when none were announced. */
  #remainingBytes = -1

  constructor(request: ProxiedRequest) {
    this.#request = request
    this.#response = request.response
  }

  /**
   * Begins the answer. What comes together with the head goes out with it; without such the head goes alone, at once.
   *
   * @throws TypeError when the reason phrase holds what HTTP forbids; nothing is written then
   */
  begin(status: number, statusText: string, head: ResponseHead): void {
    this.#pendingHead = { status, reason: reasonPhrase(statusText), headers: head.headers }
    this.#remainingBytes = head.contentLength
    this.isBodiless = status === noContent || status === notModified
    if (head.contentLength === -1) setImmediate(flushNextTurn, this)
    else process.nextTick(flushHead, this)
  }

  /** Returns false when the browser is slower, and calls `whenDrained` once it has caught up. */
  write(chunk: Buffer, whenDrained: () => void): boolean {
    const raw = this.#response
    const isFirst = this.#pendingHead !== undefined
    this.#writeHead()
    this.#hasWritten = true
    this.#remainingBytes -= chunk.length
    if (this.#remainingBytes === 0) {
      if (isFirst && chunk.length <= smallBodyBytes) raw.end(chunk.toString('latin1'), 'latin1')
      else raw.end(chunk)
      return true
    }
    if (raw.write(chunk) || raw.writableLength <= aheadBytes) return true
    raw.once('drain', whenDrained)
    return false
  }

  end(): void {
    this.#writeHead()
    if (!this.#response.writableEnded) this.#response.end()
  }

  /** A cut connection tells the browser that the answer is not whole. */
  cut(): void {
    this.#pendingHead = undefined
    this.#response.destroy()
  }

  /** Ends in order; a browser that does not close its side within `patienceMs` is cut off. */
  takeLeave(patienceMs: number): void {
    this.end()
    setTimeout(() => this.cut(), patienceMs).unref()
  }

  /** The answer began, but nothing of it is written: it is taken back. */
  takeBack(): void {
    this.#pendingHead = undefined
  }

  /** The browser can be told something else: it is there, and has seen nothing yet. */
  get isUntouched(): boolean {
    return !this.#response.destroyed && !this.#response.headersSent
  }

  get isFinished(): boolean {
    return this.#response.writableFinished
  }

  flushIfSilent(): void {
    const raw = this.#response
    this.#writeHead()
    if (!this.#hasWritten && raw.headersSent && !raw.writableEnded) raw.flushHeaders()
  }

  #writeHead(): void {
    const head = this.#pendingHead
    if (head === undefined) return
    this.#pendingHead = undefined
    if (!this.isUntouched) return
    this.#response.writeHead(head.status, head.reason, head.headers)
    this.#request.takeAnswer()
  }
}

const notPlain = /[^\u0020-\u007e]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const forbidden = /[\u0000-\u0008\u000a-\u001f\u007f]/

/** The phrase's bytes as they came: undici has read them as UTF-8, and Node writes one character per byte. */
function reasonPhrase(statusText: string): string {
  if (!notPlain.test(statusText)) return statusText
  if (forbidden.test(statusText)) throw new TypeError('the reason phrase holds control characters')
  return Buffer.from(statusText).toString('latin1')
}

function flushHead(writer: AnswerWriter): void {
  writer.flushIfSilent()
}

/**
 * A connection whose first chunk cannot be read is found to be closed in the turn after the head has come; until then the head waits, so that
 * the browser gets a 502 instead of an empty 200.
 */
function flushNextTurn(writer: AnswerWriter): void {
  setImmediate(flushHead, writer)
}
