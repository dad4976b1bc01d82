import type { IncomingMessage, ServerResponse } from 'node:http'

/** Whether a body follows a request's head (RFC 9112 section 6.3). */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

/** After the answer to an unfinished request, so much longer is the rest read (and thrown away) before the cut, milliseconds. */
const lingerMs = 2_000

/**
 * For a request that is answered before its body has come. Node reads on and throws the rest away, so that the client gets to see
 * the answer instead of a reset; here that is given an end.
 */
export function linger(request: IncomingMessage, response: ServerResponse): void {
  if (request.complete || !hasBody(request)) return
  const cutLater = (): void => {
    const { socket } = request
    const cut = setTimeout(() => void socket.destroy(), lingerMs).unref()
    const stop = (): void => clearTimeout(cut)
    request.once('end', stop).once('close', stop)
  }
  if (response.writableFinished) cutLater()
  else response.once('finish', cutLater)
}
