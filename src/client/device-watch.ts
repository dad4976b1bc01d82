import type { Session } from './session.ts'

/** When a question that was not answered, or was answered without a fresh proof, is put again, milliseconds. */
const retryMs = 5_000

/** The first time without a fresh proof: the browser may not have renewed it quite yet, milliseconds. */
const soonMs = 1_000

/**
 * Keeps the proof of this device fresh while a stream is open. A browser renews the proof of a bound session only when it asks the gateway
 * for something, which an app that only listens does not.
 */
export class DeviceWatch {
  readonly #look: () => void
  #streams = 0
  #dueMs: number | undefined
  #wasOver = false
  #timer: ReturnType<typeof setTimeout> | undefined

  /** @param look asks the gateway for the session: the browser renews the proof on the way */
  constructor(look: () => void) {
    this.#look = look
  }

  /** Learns from an answer of the gateway when the proof ends; each one sets the time of the next question. */
  see(session: Session<object>): void {
    const left = session.authenticated ? session.deviceExpiresIn : undefined
    const againMs = this.#wasOver ? retryMs : soonMs
    this.#wasOver = left === 0
    this.#dueMs = left === undefined ? undefined : Date.now() + (left === 0 ? againMs : left * 1000)
    this.#plan()
  }

  /** A stream is kept open from now on; the returned function says that it no longer is. */
  streamOpened(): () => void {
    this.#streams += 1
    this.#plan()
    return () => {
      this.#streams -= 1
      this.#plan()
    }
  }

  close(): void {
    this.#dueMs = undefined
    clearTimeout(this.#timer)
  }

  #plan(): void {
    clearTimeout(this.#timer)
    if (this.#streams === 0 || this.#dueMs === undefined) return
    this.#timer = setTimeout(() => this.#ask(), this.#dueMs - Date.now())
  }

  /** Without an answer it is asked again. */
  #ask(): void {
    this.#dueMs = Date.now() + retryMs
    this.#plan()
    this.#look()
  }
}
