import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

const invitation = Symbol('invitation')

interface ExpectingRequest extends IncomingMessage {
  /** Asks the client for its body; there while the client waits to be asked. */
  [invitation]?: (() => void) | undefined
}

/**
 * `Expect: 100-continue`: the client is asked for its body only once somebody wants it (RFC 9110 section 10.1.1), so that a large
 * upload without a session costs one answer. Where the answer comes instead, Node ends the connection with it: nobody can tell whether
 * the bytes that follow are the body after all. Other expectations are ignored, as that section allows.
 */
export function installExpectations(app: FastifyInstance): void {
  app.server.on('checkContinue', (request: ExpectingRequest, response: ServerResponse) => {
    request[invitation] = () => {
      request[invitation] = undefined
      response.writeContinue()
    }
    app.routing(request, response)
  })
  app.server.on('checkExpectation', (request, response) => app.routing(request, response))
}

/** The request's body is wanted. */
export function inviteBody(request: ExpectingRequest): void {
  request[invitation]?.()
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
  inviteBody(raw)
  if (!raw.complete) {
    const cut = setTimeout(() => void raw.destroy(), smallBodyMs).unref()
    const stop = (): void => clearTimeout(cut)
    raw.once('end', stop).once('close', stop)
  }
  done()
}
