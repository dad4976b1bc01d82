import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from '../../errors/gateway-error.ts'
import { makeLast } from '../lifetime/life.ts'

/** Header lines of a request; browsers send about thirty. Each costs a decision of the proxy's header policy. */
export const maxHeaderLines = 256

const slash = 0x2f

/** What an authority may be made of (RFC 3986 section 3.2.2), user information aside; underscores are in names of containers. */
const authority = /^[\w.~%!$&'()*+,;=:[\]-]+$/

/**
 * Refuses requests that other servers on the way may read in another way than this one, before anything of them is looked at: targets
 * that are not in origin form (RFC 9112 section 3.2), versions other than 1.0 and 1.1, more or less than one `Host`, transfer codings
 * other than `chunked`, and too many header lines.
 */
export function installRequestCheck(app: FastifyInstance): void {
  app.addHook(
    'onRequest',
    function expectPlainForm(
      { raw }: FastifyRequest,
      reply: FastifyReply,
      done: (error?: Error) => void,
    ): void {
      const problem = requestProblem(raw)
      if (problem === undefined) {
        done()
        return
      }
      // What follows on this connection may not be what it seems either.
      makeLast(reply.raw)
      done(problem)
    },
  )
}

/** What is wrong with a request's form, as {@link installRequestCheck} finds it. */
export function requestProblem(request: IncomingMessage): GatewayError | undefined {
  // The router strips the host of an absolute target, while other code along the way reads the raw one.
  if (request.url?.charCodeAt(0) !== slash) return new GatewayError('request_target_rejected')
  if (request.rawHeaders.length > maxHeaderLines * 2) return new GatewayError('headers_too_large')
  return isPlain(request)
    ? undefined
    : new GatewayError('request_invalid', { detail: 'The request is not valid HTTP.' })
}

function isPlain({ httpVersion, headers, rawHeaders }: IncomingMessage): boolean {
  const coding = headers['transfer-encoding']
  if (httpVersion === '1.1') {
    if (coding !== undefined && coding.toLowerCase() !== 'chunked') return false
    return headers.host !== undefined && authority.test(headers.host) && !hasTwoHosts(rawHeaders)
  }
  // HTTP/1.0 has no transfer codings: a message with one is framed wrongly (RFC 9112 section 6.1).
  return httpVersion === '1.0' && coding === undefined && !hasTwoHosts(rawHeaders)
}

/** Node keeps the first and says nothing. */
function hasTwoHosts(rawHeaders: readonly string[]): boolean {
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === 4 && name.toLowerCase() === 'host') count += 1
  }
  return count > 1
}
