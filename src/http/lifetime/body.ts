import { type IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { lifeOf, type RequestLife } from './life.ts'

/** After an early or a last answer the client may take so long to send what is under way, and to close; milliseconds. */
export const lingerMs = 2_000

/** Whether a body follows a request's head (RFC 9112 section 6.3). */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

/** How long a request says its body is, bytes; `undefined`: only its end will tell. */
export function announcedBytes({ headers }: Pick<IncomingMessage, 'headers'>): number | undefined {
  const length = headers['content-length']
  return length === undefined ? undefined : Number(length)
}

/** A body of at most this is read to its end behind an early answer, so that the connection can be kept; bytes. */
const smallBodyBytes = 65_536

/**
 * For a request with a body that may be answered before all of it has come. A small rest is read and thrown away, and the connection goes
 * on. With a larger one the answer is announced as the last, and the connection is closed in order, so that the client sees the answer.
 */
export function keepReadable({ response }: RequestLife): void {
  response.writeHead = announce
}

/** One for all: a function made for each request kept each alive until the next ones had been made, and with it what they held. */
const announce = function (this: ServerResponse, ...head: unknown[]) {
  const life = this.headersSent ? undefined : lifeOf(this.req)
  if (life?.request.complete === false) answerEarly(life, head[0])
  return Reflect.apply(ServerResponse.prototype.writeHead, this, head)
} as ServerResponse['writeHead']

/** Says that the rest came too slowly to be waited for (RFC 9110 section 15.5.9). */
const requestTimeout = 408

function answerEarly(life: RequestLife, status: unknown): void {
  const { request, response, connection } = life
  const bytes = announcedBytes(request)
  if (bytes === undefined || bytes > smallBodyBytes || status === requestTimeout)
    response.shouldKeepAlive = false
  // What Node calls after the last answer on a connection; by itself it does not wait for what is still unread.
  connection.socket.destroySoon = () => connection.endInOrder()
  response.once('finish', () => discardRest(life))
}

/** Reads on, and cuts a client that does not come to an end. */
function discardRest({ request, connection }: RequestLife): void {
  if (request.complete) return
  const cut = setTimeout(() => connection.destroy(), lingerMs).unref()
  const stop = (): void => clearTimeout(cut)
  request.once('end', stop).once('close', stop).resume()
}

/** A small body comes within this, or its connection is cut (slow loris), milliseconds. */
const smallBodyMs = 10_000

/** A `preParsing` hook for endpoints that read small bodies: after the guards, so that what they refuse is not read. */
export function expectSmallBody(
  { raw }: FastifyRequest,
  _reply: FastifyReply,
  _payload: unknown,
  done: () => void,
): void {
  const life = lifeOf(raw)
  life?.inviteBody()
  if (life !== undefined && !raw.complete) {
    const cut = setTimeout(() => life.cut(), smallBodyMs).unref()
    const stop = (): void => clearTimeout(cut)
    raw.once('end', stop)
    life.hold({ lifeEnded: stop })
  }
  done()
}
