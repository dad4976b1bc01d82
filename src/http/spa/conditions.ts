import type { FastifyReply, FastifyRequest } from 'fastify'

/** RFC 9110 section 15.5.13. */
const preconditionFailed = 412

/**
 * Settles the conditions that the library would get wrong for validators like ours (RFC 9110 section 13.1): weak ones never meet `If-Match`
 * or `If-Range`, and no date of a file is ever told, so that none can be compared with.
 *
 * @returns whether the request has been answered
 */
export function settleConditions(request: FastifyRequest, reply: FastifyReply): boolean {
  const { headers } = request
  if (headers['if-match'] !== undefined && headers['if-match'].trim() !== '*') {
    reply.code(preconditionFailed).send()
    return true
  }
  delete headers['if-unmodified-since']
  if (headers['if-range'] !== undefined) delete headers.range
  return false
}
