import { createServer, connect as openSocket, type Socket } from 'node:net'

/** A TCP connection in two halves with us in between, for links that fail in ways a server cannot. */
export interface Relay {
  readonly port: number
  /** Connections that are open now. */
  count(): number
  /** Half-open: nothing passes any more on the connections there are, and neither side hears of it. */
  stall(): void
  /** Resets the connections there are. */
  cut(): void
  /** Resets the first connection of those there are. */
  cutFirst(): void
  /** New connections lead there. */
  retarget(port: number): void
  /** While refused, new connections are reset at once. */
  refuse(refused: boolean): void
  close(): Promise<void>
}

/** Opens a relay in front of `127.0.0.1:targetPort`. */
export async function startRelay(targetPort: number): Promise<Relay> {
  let port = targetPort
  const sockets = new Set<Socket>()
  let refused = false
  const follow = (socket: Socket, other: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      sockets.delete(socket)
      other.destroy()
    })
    socket.pipe(other)
  }
  const server = createServer((near) => {
    if (refused) {
      near.resetAndDestroy()
      return
    }
    const far = openSocket(port, '127.0.0.1')
    follow(near, far)
    follow(far, near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    port: address !== null && typeof address === 'object' ? address.port : 0,
    count: () => sockets.size / 2,
    stall() {
      for (const socket of sockets) {
        socket.unpipe()
        socket.pause()
      }
    },
    cut,
    cutFirst() {
      const [first] = sockets
      first?.resetAndDestroy()
    },
    retarget(next) {
      port = next
    },
    refuse(next) {
      refused = next
    },
    close() {
      cut()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
