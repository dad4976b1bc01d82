import type { Socket } from 'node:net'
import type { buildConnector } from 'undici'

/** Knows of a failed connection whether it had carried an answer before. */
export interface ReuseWatch {
  /** The same connector; its connections are watched. */
  watching(connect: buildConnector.connector): buildConnector.connector
  /** Whether the connection that ended with this error had carried an answer before. */
  wasReused(error: unknown): boolean
}

/** Creates a watch, for all the connections of one kind. */
export function createReuseWatch(): ReuseWatch {
  const reusedErrors = new WeakSet<Error>()
  function mark(socket: Socket): void {
    socket.on('error', (error) => {
      if (socket.bytesRead > 0) reusedErrors.add(error)
    })
  }
  return {
    watching: (connect) => (target, callback) =>
      connect(target, (...[error, socket]) => {
        if (error === null) mark(socket)
        if (error === null) callback(null, socket)
        else callback(error, null)
      }),
    wasReused: (error) => error instanceof Error && (reusedErrors.has(error) || hadCarriedAnswers(error)),
  }
}

/** A connection that the other side closed in order comes as undici's own error, which counts its bytes. */
function hadCarriedAnswers(error: Error): boolean {
  if (!('code' in error) || error.code !== 'UND_ERR_SOCKET' || !('socket' in error)) return false
  const { socket } = error
  if (typeof socket !== 'object' || socket === null || !('bytesRead' in socket)) return false
  return typeof socket.bytesRead === 'number' && socket.bytesRead > 0
}
