import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Whether a request asks for a WebSocket. Other upgrades (`h2c`) are ignored, as HTTP allows (RFC 9110 section 7.8). */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket'
}

/** Nobody has to send anything before the answer to a handshake; more than this is not kept, bytes. */
const earlyBytes = 65_536

/** The connection of a WebSocket handshake. It is read from at once, because only a reader hears that the other side has left. */
export class UpgradeSocket {
  readonly socket: Socket
  readonly #early: Buffer[]
  #bytes: number

  /** @param head what came on the connection behind the request's head */
  constructor(socket: Socket, head: Buffer) {
    this.socket = socket
    this.#early = [head]
    this.#bytes = head.length
    socket.on('data', this.#keep)
    // The server has let go of it: nobody else closes our side.
    socket.once('end', this.#left)
  }

  /** Hands the connection over: what has come on it until now. The next reader's first turn is this one. */
  take(): Buffer {
    this.socket.off('data', this.#keep).off('end', this.#left)
    return Buffer.concat(this.#early)
  }

  /** Nobody will want what comes. */
  discard(): void {
    this.socket.off('data', this.#keep)
    this.#early.length = 0
    this.socket.resume()
  }

  readonly #left = (): void => void this.socket.destroy()

  readonly #keep = (chunk: Buffer): void => {
    this.#early.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes > earlyBytes) this.socket.destroy()
  }
}

/** The connection of an upgrade, as its refusal needs it. */
export interface EndingConnection {
  readonly socket: Socket
  endInOrder(): void
}

/** A response on a connection that the server has let go of: it is the last on it. */
export function createUpgradeResponse(
  request: IncomingMessage,
  connection: EndingConnection,
): ServerResponse {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(connection.socket)
  response.once('finish', () => connection.endInOrder())
  return response
}
