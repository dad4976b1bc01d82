import type { WebSocket } from 'ws'
import type { LifeConnection } from '../../http/lifetime/life.ts'
import { goodbyeMs } from '../calls/in-flight.ts'
import { Presence } from './presence.ts'
import { closeLike, type Frame, relay } from './websocket-relay.ts'

/** RFC 6455 section 7.4.1. */
export const goingAwayCode = 1001
const messageTooBigCode = 1009
const internalErrorCode = 1011

/** Both ends of a bridged WebSocket, and what is done as they go. */
export interface JoinedSocketsInput {
  readonly browser: WebSocket
  readonly upstream: WebSocket
  readonly connection: Pick<LifeConnection, 'isFlushing'>
  /** Without a frame in either direction for so long it is closed, milliseconds; 0: never. */
  readonly idleTimeoutMs: number
  /** The browser has sent a message. */
  readonly onMessage: () => void
  /** It is over. May be called more than once. */
  readonly onOver: () => void
}

/** A browser's WebSocket and the upstream's, joined: what one sends reaches the other, and each ends as the other did. */
export class JoinedSockets {
  readonly #input: JoinedSocketsInput
  readonly #presence: Presence
  readonly #idleTimer: NodeJS.Timeout | undefined

  constructor(input: JoinedSocketsInput) {
    const { browser, upstream, connection, idleTimeoutMs } = input
    this.#input = input
    this.#presence = new Presence(browser, connection)
    if (idleTimeoutMs > 0) {
      this.#idleTimer = setTimeout(() => this.close(goingAwayCode, 'idle'), idleTimeoutMs)
    }
    browser.on('error', (error) => this.failed(error))
    browser.once('close', (code, reason) => this.#sideClosed(upstream, code, reason, goingAwayCode))
    upstream.once('close', (code, reason) => this.#sideClosed(browser, code, reason, internalErrorCode))
    relay(browser, upstream, (frame, data) => this.#heard(frame, data))
    relay(upstream, browser, () => {
      this.#idleTimer?.refresh()
      return true
    })
  }

  /** To be called at every sweep: whether the browser has gone without a word. */
  isBrowserGone(): boolean {
    return this.#presence.isGone()
  }

  /** One of them could not read what it was sent. */
  failed(error: Error): void {
    if (!('code' in error) || error.code !== 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return
    this.#input.browser.close(messageTooBigCode)
    this.#input.upstream.close(messageTooBigCode)
  }

  /** Both sides at once; what is still under way is no longer passed on. */
  close(code: number, reason: string): void {
    const { browser, upstream } = this.#input
    for (const side of [browser, upstream]) side.removeAllListeners('message').resume()
    browser.close(code, reason)
    upstream.close(goingAwayCode)
    this.terminateSoon()
  }

  /** What was sent before may still be on its way, for a moment. */
  terminateSoon(): void {
    setTimeout(() => this.terminate(), goodbyeMs).unref()
  }

  terminate(): void {
    this.#input.upstream.terminate()
    this.#input.browser.terminate()
    this.#over()
  }

  /** A frame of the browser; false for one that concerns nobody else. */
  #heard(frame: Frame, data: Buffer): boolean {
    if (!this.#presence.heard(frame, data)) return false
    this.#idleTimer?.refresh()
    if (frame === 'message') this.#input.onMessage()
    return true
  }

  #sideClosed(other: WebSocket, code: number, reason: Buffer, lossCode: number): void {
    other.resume()
    closeLike(other, code, reason, lossCode)
    setTimeout(() => other.terminate(), goodbyeMs).unref()
    this.#over()
  }

  #over(): void {
    clearTimeout(this.#idleTimer)
    this.#input.onOver()
  }
}
