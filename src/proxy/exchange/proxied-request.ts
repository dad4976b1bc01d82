import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AccessRequest } from '../../access/request.ts'
import type { GatewayError } from '../../errors/gateway-error.ts'
import { ownerOf, type RequestLife } from '../../http/lifetime/life.ts'
import type { RequestSpan } from '../../telemetry/traces/tracing.ts'

/**
 * A request of a proxied route as the decision and the exchange see it: read once from the framework's. That makes its objects with a class of its own for
 * each scope, so that in a process of many frontends every look at one costs more, the more of them there are.
 */
export class ProxiedRequest implements AccessRequest {
  readonly raw: IncomingMessage
  readonly response: ServerResponse
  readonly life: RequestLife
  readonly id: string
  readonly method: string
  readonly headers: IncomingHttpHeaders
  /** The peer's own address first, then those that trusted proxies vouch for; `undefined` where none is trusted. */
  readonly ips: string[] | undefined
  /** `null` while nothing is traced. */
  readonly span: RequestSpan | null
  readonly #request: FastifyRequest
  readonly #reply: FastifyReply
  #caller: AccessRequest['caller'] = null

  /** @param trustsProxies somebody is in `TRUST_PROXY` */
  constructor(request: FastifyRequest, reply: FastifyReply, trustsProxies: boolean) {
    const { raw } = request
    this.#request = request
    this.#reply = reply
    this.raw = raw
    this.life = ownerOf(raw)
    this.response = this.life.response
    this.id = request.id
    this.method = raw.method ?? 'GET'
    this.headers = raw.headers
    this.ips = trustsProxies ? request.ips : undefined
    this.span = request.span
  }

  get caller(): AccessRequest['caller'] {
    return this.#caller
  }

  /** The request's line in the log names it. */
  set caller(caller: AccessRequest['caller']) {
    this.#caller = caller
    this.#request.caller = caller
  }

  /** From now on what is written to {@link response} is the answer. */
  takeAnswer(): void {
    this.#reply.hijack()
  }

  /** Nothing of an answer was written: this is it. */
  refuse(problem: GatewayError): void {
    this.#reply.send(problem)
  }
}
