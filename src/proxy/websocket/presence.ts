import type { WebSocket } from 'ws'
import { randomText } from '../../basics/random-text.ts'
import type { LifeConnection } from '../../http/lifetime/life.ts'
import { sweepMs } from '../upstream/sweep.ts'
import type { Frame } from './websocket-relay.ts'

/** A browser that has been silent for this long is asked, and asked again; sweeps. */
const pingSweeps = 60_000 / sweepMs
/** One that is silent for this long is gone, sweeps. */
const goneSweeps = 150_000 / sweepMs

const ownPingBytes = 8
/** What our pings hold, so that their answers are told from those to pings of an API. */
const ownPing = Buffer.from(randomText(ownPingBytes, 'base64url'))

/** Finds out whether a browser is still there: a laptop that was shut says no goodbye. */
export class Presence {
  readonly #browser: WebSocket
  readonly #connection: Pick<LifeConnection, 'isFlushing'>
  #silentSweeps = 0

  constructor(browser: WebSocket, connection: Pick<LifeConnection, 'isFlushing'>) {
    this.#browser = browser
    this.#connection = connection
  }

  /** Returns false for the answer to a ping of ours, which says that the browser is there and nothing else. */
  heard(frame: Frame, data: Buffer): boolean {
    this.#silentSweeps = 0
    return frame !== 'pong' || !ownPing.equals(data)
  }

  /** To be called at every sweep: asks after a silent minute. */
  isGone(): boolean {
    // While it is not read from, or slowly reads what waits for it, its silence says nothing.
    if (this.#browser.isPaused || this.#connection.isFlushing()) this.#silentSweeps = 0
    this.#silentSweeps += 1
    if (this.#silentSweeps % pingSweeps === 0 && this.#browser.readyState === this.#browser.OPEN) {
      this.#browser.ping(ownPing)
    }
    return this.#silentSweeps >= goneSweeps
  }
}
