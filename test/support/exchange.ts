import { Agent, type IncomingMessage, request as sendRequest } from 'node:http'
import { request as sendTlsRequest, Agent as TlsAgent } from 'node:https'

/** Where an origin is really served. */
export interface Address {
  readonly host: string
  readonly port: number
  /** With it the server speaks TLS, and its certificate must be of this authority, PEM. */
  readonly ca?: string
  /** The address to come from, one of 127.0.0.0/8. */
  readonly localAddress?: string
}

/** One HTTP exchange, as it went over the wire. */
export interface Answer {
  readonly method: string
  readonly url: URL
  readonly requestHeaders: Readonly<Record<string, string>>
  readonly status: number
  /** Names in lower case, repeated ones joined by a comma; `set-cookie` is in {@link setCookies}. */
  readonly headers: Readonly<Record<string, string>>
  readonly rawHeaders: readonly string[]
  readonly setCookies: readonly string[]
  readonly body: Buffer
  text(): string
  json<T = Record<string, unknown>>(): T
}

/** What to send. */
export interface ExchangeRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Buffer | undefined
  readonly signal?: AbortSignal | undefined
  /** The server that answers for the URL's origin; by default the URL's own host and port. */
  readonly address?: Address | undefined
  /** Called at the head of the answer; the body is then collected as usual. */
  readonly onHead?: ((message: IncomingMessage) => void) | undefined
}

/** Sends one plain HTTP request on a connection of its own and collects the whole answer. */
export async function exchange(input: ExchangeRequest): Promise<Answer> {
  const message = await openExchange(input)
  input.onHead?.(message)
  const body = await collect(message)
  return toAnswer(input, message, body)
}

/** Sends one request and resolves at the head of the answer; the body is the caller's to read. */
export function openExchange(input: ExchangeRequest): Promise<IncomingMessage> {
  const { url } = input
  return new Promise((resolve, reject) => {
    const { ca, localAddress } = input.address ?? {}
    const send = ca === undefined ? sendRequest : sendTlsRequest
    const request = send({
      agent: ca === undefined ? new Agent({ keepAlive: false }) : new TlsAgent({ keepAlive: false, ca }),
      ...(ca === undefined ? {} : { servername: url.hostname }),
      ...(localAddress === undefined ? {} : { localAddress }),
      host: input.address?.host ?? url.hostname,
      port: input.address?.port ?? (url.port || 80),
      method: input.method,
      path: url.pathname + url.search,
      headers: { host: url.host, ...input.headers },
      ...(input.signal === undefined ? {} : { signal: input.signal }),
    })
    request.once('response', resolve)
    request.once('error', reject)
    request.end(input.body)
  })
}

async function collect(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function toAnswer(input: ExchangeRequest, message: IncomingMessage, body: Buffer): Answer {
  const { 'set-cookie': setCookies = [], ...rest } = message.headers
  const headers = Object.fromEntries(
    Object.entries(rest).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : `${value}`]),
  )
  return {
    method: input.method,
    url: input.url,
    requestHeaders: input.headers,
    status: message.statusCode ?? 0,
    headers,
    rawHeaders: message.rawHeaders,
    setCookies,
    body,
    text: () => body.toString('utf8'),
    json: <T>() => JSON.parse(body.toString('utf8')) as T,
  }
}
