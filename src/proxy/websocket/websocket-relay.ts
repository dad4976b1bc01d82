import type { WebSocket } from 'ws'

/** A sender that has this much unsent is full, bytes; its source is paused. */
const fullBytes = 256 * 1024

/** A sender that has less than this unsent takes more again, bytes. */
const roomBytes = 64 * 1024

/** The frames that are passed on. */
export type Frame = 'message' | 'ping' | 'pong'

/**
 * Passes messages, pings and pongs of one socket on to another, in order, as they are. A source that is faster than the other
 * side is paused on its connection, so that memory stays flat whoever is slow.
 *
 * @param onFrame called for each frame of the source; a ping or pong for which it returns false is not passed on
 */
export function relay(
  from: WebSocket,
  to: WebSocket,
  onFrame: (frame: Frame, data: Buffer) => boolean,
): void {
  const takeMore = (): void => {
    if (from.isPaused && to.bufferedAmount <= roomBytes) from.resume()
  }
  const holdIfFull = (): void => {
    if (to.bufferedAmount > fullBytes) from.pause()
  }
  from.on('message', (data: Buffer, isBinary) => {
    onFrame('message', data)
    if (to.readyState !== to.OPEN) return
    to.send(data, { binary: isBinary }, takeMore)
    holdIfFull()
  })
  const passControl = (frame: 'ping' | 'pong') => (data: Buffer) => {
    if (!onFrame(frame, data) || to.readyState !== to.OPEN) return
    to[frame](data, undefined, takeMore)
    holdIfFull()
  }
  from.on('ping', passControl('ping'))
  from.on('pong', passControl('pong'))
}

/** Close codes that stand for "none was sent" and "the connection was lost"; they never travel (RFC 6455 section 7.4.1). */
const noStatus = 1005

/** Ends a socket the way the other one ended. A loss, which has no code of its own, becomes `lossCode`. */
export function closeLike(socket: WebSocket, code: number, reason: Buffer, lossCode: number): void {
  if (code === noStatus) socket.close()
  else if (isSendable(code)) socket.close(code, reason)
  else socket.close(lossCode)
}

function isSendable(code: number): boolean {
  if (code >= 3000 && code <= 4999) return true
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== noStatus && code !== 1006
}
