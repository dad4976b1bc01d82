import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
// biome-ignore lint/style/noRestrictedImports: this is the door
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Admission } from '../../access/admission.ts'
import type { AccessRequest } from '../../access/request.ts'
import type { GatewayError } from '../../errors/gateway-error.ts'
import { ownerOf, type RequestLife } from '../../http/lifetime/life.ts'
import type { LimitedRequest } from '../../http/limits/limited-request.ts'
import type { RequestSpan } from '../../telemetry/traces/tracing.ts'

/** A request that may go on. */
export interface AdmittedRequest {
  readonly request: ProxiedRequest
  readonly admission: Admission
}

/**
 * A request of a proxied route as the decision and the exchange see it, read once from the framework's. Fastify makes its requests with a
 * class of their own for each scope, so that in a process of many frontends every look at one costs more, the more of them there are.
 */
export class ProxiedRequest implements AccessRequest {
  readonly raw: IncomingMessage
  readonly response: ServerResponse
  readonly life: RequestLife
  readonly id: string
  readonly method: string
  readonly headers: IncomingHttpHeaders
  /** `null` while nothing is traced. */
  readonly span: RequestSpan | null
  readonly #request: FastifyRequest
  readonly #reply: FastifyReply

  constructor(request: FastifyRequest, reply: FastifyReply) {
    const { raw } = request
    this.#request = request
    this.#reply = reply
    this.raw = raw
    this.life = ownerOf(raw)
    this.response = this.life.response
    this.id = request.id
    this.method = raw.method ?? 'GET'
    this.headers = raw.headers
    this.span = request.span
  }

  /** Whoever counts by address asks, and who tells the API. */
  get ips(): LimitedRequest['ips'] {
    return this.#request.ips
  }

  /** The request's line in the log names it. */
  get caller(): AccessRequest['caller'] {
    return this.#request.caller
  }

  set caller(caller: AccessRequest['caller']) {
    this.#request.caller = caller
  }

  /** The framework answers no more. To be called once the head could be written: until then a refusal is possible. */
  takeAnswer(): void {
    this.#reply.hijack()
  }

  /** Answers with a problem, in the way of the framework's error handler, as long as nothing of an answer was written. */
  refuse(problem: GatewayError): void {
    this.#reply.send(problem)
  }
}
