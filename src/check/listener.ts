import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { isLoopbackHost } from '../config/settings/kinds/address.ts'
import { GatewayError } from '../errors/gateway-error.ts'
import type { Refuse } from '../http/answers/refusals.ts'
import { hasBody } from '../http/lifetime/body.ts'
import { type OwnedListener, ownLives } from '../http/lifetime/listener.ts'
import type { ReportUnrouted } from '../http/lifetime/unrouted.ts'
import { createTrustedNetworks, isOfNetworks } from '../http/limits/client-address.ts'
import { requestProblem } from '../http/server/request-form.ts'
import type { Logger } from '../telemetry/telemetry.ts'
import { type OriginalHeaders, type OriginalRequest, readOriginal } from './original-request.ts'
import { type Question, type QuestionKind, questionKindOf } from './question.ts'

/** What the settings say; the process's fit. */
export interface CheckListenerOptions {
  readonly forwardAuthHost: string
  readonly forwardAuthHeaders: OriginalHeaders
  /** `TRUST_PROXY`. */
  readonly trustProxy: readonly string[]
}

/** What the listener reports to, and whom it hands questions. */
export interface CheckListenerParts {
  readonly log: Pick<Logger, 'warn'>
  readonly refuse: Refuse
  /** Told of what is no question, and not even a request. */
  readonly report: ReportUnrouted
  /** Its throws are refused. */
  pass(question: Question): void
}

const methods = new Set(['GET', 'HEAD', 'POST'])

/**
 * Makes a server answer questions of proxies and nothing else. What they say of a request is believed, so off loopback only those of
 * `TRUST_PROXY` are heard. Everything is answered from the heads of requests: a body that comes with one is read and thrown away, one
 * that does not is not waited for, and whoever asks for an upgrade is answered as if not.
 */
export function answerQuestions(
  server: Server,
  options: CheckListenerOptions,
  { log, refuse, report, pass }: CheckListenerParts,
): OwnedListener {
  const trusted = createTrustedNetworks(options.trustProxy)
  const isOpen = isLoopbackHost(options.forwardAuthHost)
  const read = (request: IncomingMessage): OriginalRequest => {
    try {
      return readOriginal(request, options.forwardAuthHeaders)
    } catch (error) {
      if (error instanceof GatewayError) log.warn(error.context, notSaid)
      throw error
    }
  }
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    try {
      const { remoteAddress } = request.socket
      if (!isOpen && !isOfNetworks(remoteAddress, trusted)) throw stranger(remoteAddress)
      const kind = kindOf(request)
      pass({ request, response, kind, original: read(request) })
    } catch (error) {
      refuse(request, response, error)
    }
  }
  return ownLives(
    server,
    (request, response) => {
      if (hasBody(request)) afterBody(request, response, answer)
      else answer(request, response)
    },
    { upgrades: 'plain', report },
  )
}

/**
 * Throws away the body that came with a question. What has not come by now may never come: a proxy that hands on the browser's `Content-Length`
 * without its body would have its next question, about somebody else's request, taken for that body. So this is the last on its connection.
 */
function afterBody(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): void {
  request.resume()
  setImmediate(() => {
    if (!request.complete) response.shouldKeepAlive = false
    answer(request, response)
  })
}

const notSaid = 'forward-auth: the proxy did not say what it asks about; its configuration lacks a line'

function stranger(address: string | undefined): GatewayError {
  const detail = 'Only the proxies of TRUST_PROXY may ask here.'
  return new GatewayError('forbidden', { detail, context: { address } })
}

/** @throws GatewayError for what is no question */
function kindOf(request: IncomingMessage): QuestionKind {
  const problem = requestProblem(request)
  if (problem !== undefined) throw problem
  const kind = questionKindOf(request.url ?? '')
  if (kind === undefined) throw new GatewayError('not_found')
  if (!methods.has(request.method ?? '')) {
    throw new GatewayError('method_not_allowed', { headers: { allow: [...methods].join(', ') } })
  }
  return kind
}
