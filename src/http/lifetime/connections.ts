import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** The connections of a listener, and their end. */
export interface Connections {
  /** From now on each answer is the last on its connection, so that clients go elsewhere in order; none is refused or cut off. */
  beginDraining(): void
  isDraining(): boolean
  /** Open connections. */
  count(): Promise<number>
}

/** How often connections that fell idle are closed while the listener closes, milliseconds. */
const idleCheckMs = 50

/** A connection that was opened near the end may still bring its first request for so long, milliseconds. */
const firstRequestMs = 500

/**
 * Takes care that closing `app` ends: Node waits for every open connection, also for one on which nothing was ever sent, and for one
 * that stays open after its answer.
 *
 * @param graceMs requests under way when closing begins are cut off after this
 */
export function trackConnections(app: FastifyInstance, graceMs: number): Connections {
  const { server } = app
  /** Connections on which no request has come yet, and when they were opened. */
  const unused = new Map<Socket, number>()
  const noteUse = ({ socket }: IncomingMessage): void => void unused.delete(socket)
  server.on('connection', (socket) => {
    unused.set(socket, performance.now())
    socket.once('close', () => unused.delete(socket))
  })
  server.on('request', noteUse)
  server.on('upgrade', noteUse)
  let isDraining = false
  const beginDraining = (): void => {
    if (isDraining) return
    isDraining = true
    server.prependListener('request', closeAfterAnswer)
  }
  const closeIdle = (): void => {
    server.closeIdleConnections()
    const openedBeforeMs = performance.now() - firstRequestMs
    for (const [socket, openedAtMs] of unused) if (openedAtMs < openedBeforeMs) socket.destroy()
  }
  let timers: readonly NodeJS.Timeout[] = []
  app.addHook('preClose', async () => {
    beginDraining()
    timers = [setInterval(closeIdle, idleCheckMs), setTimeout(() => server.closeAllConnections(), graceMs)]
  })
  app.addHook('onClose', async () => {
    for (const timer of timers) clearTimeout(timer)
  })
  return {
    beginDraining,
    isDraining: () => isDraining,
    count: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
      }),
  }
}

/** Node then writes `Connection: close` by itself, whoever writes the answer. */
function closeAfterAnswer(_request: IncomingMessage, response: ServerResponse): void {
  response.shouldKeepAlive = false
}
