import { connect, type Socket } from 'node:net'

/** What came back on all connections of a generator. */
export interface Received {
  refused: number
  broken: number
  receivedBytes: number
}

/**
 * One request at a time on a bare socket, because a client library would take more of the processor that the API shares than the API does.
 * Answers carry their length.
 */
export class BareConnection {
  readonly #socket: Socket
  readonly #received: Received
  #answered: (() => void) | undefined
  #missingBytes = 0

  constructor({ hostname, port }: URL, received: Received) {
    this.#received = received
    this.#socket = connect(Number(port), hostname)
    this.#socket.setNoDelay()
    this.#socket.on('data', (chunk) => this.#receive(chunk))
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => (received.broken += this.#answered === undefined ? 0 : 1))
  }

  /** @param answered called when the whole answer has come */
  ask(request: Buffer, answered: () => void): void {
    this.#answered = answered
    this.#socket.write(request)
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    this.#received.receivedBytes += chunk.length
    if (this.#missingBytes === 0) this.#missingBytes = this.#totalBytes(chunk)
    this.#missingBytes -= chunk.length
    if (this.#missingBytes > 0) return
    const answered = this.#answered
    this.#answered = undefined
    answered?.()
  }

  /** Of an answer, by its first piece, which holds its head. */
  #totalBytes(first: Buffer): number {
    const text = first.toString('latin1')
    const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text)?.[1]
    if (length === undefined) throw new Error(`an answer without a length: ${text.slice(0, 300)}`)
    if (!/^HTTP\/1\.1 [23]/.test(text)) this.#received.refused += 1
    return text.indexOf('\r\n\r\n') + 4 + Number(length)
  }
}
