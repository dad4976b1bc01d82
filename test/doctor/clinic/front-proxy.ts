import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
  request as sendRequest,
} from 'node:http'

/** How a proxy in front of the gateway is set up. */
export interface FrontProxyFaults {
  /** Changes what goes on to the gateway. */
  readonly request?: (headers: IncomingHttpHeaders) => IncomingHttpHeaders
  /** Changes what comes back. */
  readonly response?: (headers: IncomingHttpHeaders) => OutgoingHttpHeaders
  /** The buffer for response headers, bytes; an answer with larger ones becomes 502. */
  readonly headerBuffer?: number
}

/** A reverse proxy of the operator's. */
export interface FrontProxy {
  readonly origin: string
  stop(): Promise<void>
}

/** Starts one on loopback; it appends to `X-Forwarded-For` unless its faults say otherwise. */
export async function startFrontProxy(
  targetPort: number,
  {
    request: changeRequest = appendClient,
    response: changeResponse = (headers) => headers,
    headerBuffer = 16_384,
  }: FrontProxyFaults = {},
): Promise<FrontProxy> {
  const pass = (request: IncomingMessage, response: ServerResponse): void => {
    const { method = 'GET', url: path = '/' } = request
    const onward = sendRequest(
      {
        host: '127.0.0.1',
        port: targetPort,
        method,
        path,
        headers: changeRequest({ ...request.headers }),
        agent: false,
        maxHeaderSize: headerBuffer,
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, changeResponse({ ...answer.headers }))
        answer.pipe(response)
      },
    )
    onward.on('error', () => response.writeHead(502).end())
    request.pipe(onward)
  }
  const server = createServer(pass)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    origin: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** What `proxy_add_x_forwarded_for` of nginx does. */
export function appendClient(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const known = headers['x-forwarded-for']
  return {
    ...headers,
    'x-forwarded-for': known === undefined ? '192.0.2.8' : `${String(known)}, 192.0.2.8`,
    'x-forwarded-proto': 'http',
  }
}

/** Leaves headers out, by name or by what the name begins with. */
export function without(headers: IncomingHttpHeaders, ...names: readonly string[]): IncomingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !names.some((one) => name.startsWith(one))),
  )
}
