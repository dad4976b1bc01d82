import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import type { AccessRequest } from '../access/request.ts'
import { addressesOf, type TrustedNetworks } from '../http/limits/client-address.ts'
import type { Caller, WatchedRequest } from '../http/server/request-log.ts'
import { newRequestId } from '../http/server/server.ts'
import type { RequestSpan } from '../telemetry/traces/tracing.ts'
import type { Question } from './question.ts'

const pageMethods = new Set(['GET', 'HEAD'])

/** The request that is asked about, as the decision and the log see any other. */
export class AskedRequest implements AccessRequest, WatchedRequest {
  readonly id = newRequestId()
  readonly method: string
  readonly headers: IncomingHttpHeaders
  readonly raw: {
    readonly url: string
    readonly rawHeaders: readonly string[]
    readonly socket: Socket
  }
  readonly routeOptions: { readonly url: string }
  /** Known by its key: most proxies take the `Upgrade` header for themselves. */
  readonly isWebSocket: boolean
  readonly isPage: boolean
  caller: Caller | null = null
  span: RequestSpan | null = null
  readonly #trusted: TrustedNetworks

  constructor({ request, original, kind }: Question, trusted: TrustedNetworks) {
    const { headers, rawHeaders, socket } = request
    this.method = original.method
    this.headers = withoutLength(headers)
    this.raw = { url: original.target, rawHeaders, socket }
    this.routeOptions = { url: kind.path }
    this.isWebSocket = headers['sec-websocket-key'] !== undefined
    this.isPage =
      headers['sec-fetch-mode'] === 'navigate' &&
      headers['sec-fetch-dest'] === 'document' &&
      pageMethods.has(original.method) &&
      !this.isWebSocket
    this.#trusted = trusted
  }

  /** Whoever counts by address asks; nobody else needs it. */
  get ips(): string[] | undefined {
    if (this.#trusted.isEmpty) return undefined
    const forwardedFor = this.headers['x-forwarded-for']
    const text = Array.isArray(forwardedFor) ? forwardedFor.join() : forwardedFor
    return addressesOf(this.raw.socket.remoteAddress ?? '', text, this.#trusted)
  }
}

/** It is that of the question. */
function withoutLength(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  if (headers['content-length'] === undefined) return headers
  return { ...headers, 'content-length': undefined }
}
