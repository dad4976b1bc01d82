import { Buffer } from 'node:buffer'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { repostScript } from '../answers/pages.ts'
import { pageHeaders } from '../answers/security-headers.ts'
import { findTransactions } from '../cookies/transaction-cookies.ts'
import type { HttpContext } from '../server/http-context.ts'
import { invalid, queryOf } from '../server/query.ts'
import { type createCallback, maxCallbackAnswerBytes } from './callback.ts'

/** Says that our own page has posted the answer: without a cookie even then there is none. */
const repostedMark = 'reposted'
const mostFields = 32

/**
 * `POST /callback` (OAuth 2.0 Form Post Response Mode). The provider's page posts across sites, where the cookie of the transaction, which is
 * Lax, does not come along; so a post without it is answered with a page that posts the same fields from our own origin.
 */
export function registerFormAnswers(
  app: FastifyInstance,
  context: HttpContext,
  callback: ReturnType<typeof createCallback>,
): void {
  const headers = pageHeaders({ ...context.pages.policy, scripts: [repostScript] })

  function answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> | FastifyReply {
    const untrustedAnswer = postedAnswer(request)
    const isReposted = queryOf(request.raw.url ?? '') === repostedMark
    if (isReposted || findTransactions(context, 'login', request.headers.cookie).length > 0)
      return callback(request, reply, untrustedAnswer)
    const action = `${context.paths.callback}?${repostedMark}`
    const fields = [...new URLSearchParams(untrustedAnswer)]
    return reply
      .headers(headers)
      .send(context.pages.repost({ action, fields }, request.headers['accept-language']))
  }

  app.register(async function formAnswers(scope) {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: maxCallbackAnswerBytes },
      (_request, body, done) => done(null, body),
    )
    scope.post(context.paths.callback, answer)
  })
}

/** The fields as a query: each once, in well-formed UTF-8. @throws GatewayError `request_invalid` */
function postedAnswer({ body: untrustedBody }: FastifyRequest): string {
  const text = typeof untrustedBody === 'string' ? untrustedBody : ''
  const names = [...new URLSearchParams(text).keys()]
  if (names.length > mostFields) throw invalid('The form has too many fields.')
  if (new Set(names).size < names.length) throw invalid('The form has a field twice.')
  if (!Buffer.from(text).equals(Buffer.from(text, 'ascii')))
    throw invalid('The form is not encoded correctly.')
  return text
}
