import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A proxy of forward-auth as small as can be, for browsers that reach it without TLS. */
export interface NodeCarrier {
  readonly origin: string
  readonly port: number
  /** Navigations that were asked about: their target and what began them. */
  readonly asked: readonly (readonly [target: string, site: string])[]
  /** Changes what is asked, as something broken on the way would. */
  breakHeaders: ((headers: Record<string, unknown>) => void) | undefined
  stop(): Promise<void>
}

/** Starts it on `localhost`; where the gateway is, it may be told later. */
export async function startNodeCarrier(
  places: () => { readonly gatewayPort: number; readonly checkPort: number },
): Promise<NodeCarrier> {
  const asked: (readonly [string, string])[] = []
  const server = createServer((request, response) => {
    const { gatewayPort, checkPort } = places()
    const { url = '/', headers, method } = request
    if (url.startsWith('/auth/')) {
      pass(request, response, { port: gatewayPort, path: url, method }, { ...headers })
      return
    }
    const question: Record<string, unknown> = {
      ...headers,
      'x-forwarded-method': method,
      'x-forwarded-uri': url,
      'x-forwarded-host': headers.host,
      'x-forwarded-proto': 'http',
    }
    carrier.breakHeaders?.(question)
    if (headers['sec-fetch-mode'] === 'navigate') asked.push([url, String(question['sec-fetch-site'])])
    pass(request, response, { port: checkPort, path: '/check/redirect', method: 'GET' }, question)
  }).listen(0, 'localhost')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const carrier: NodeCarrier = {
    origin: `http://localhost:${port}`,
    port,
    asked,
    breakHeaders: undefined,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return carrier
}

function pass(
  request: IncomingMessage,
  response: ServerResponse,
  place: { readonly port: number; readonly path: string; readonly method: string | undefined },
  headers: Readonly<Record<string, unknown>>,
): void {
  const sent = sendRequest({ host: '127.0.0.1', ...place, headers: headers as Record<string, string> })
  sent.once('error', () => response.destroy())
  sent.once('response', (answer) => {
    if (place.path.startsWith('/check') && answer.statusCode === 200) {
      answer.resume()
      response.writeHead(200, { 'content-type': 'text/html' })
      response.end(
        `<!doctype html><title>App</title><p id="token">${answer.headers.authorization?.slice(0, 10)}</p>`,
      )
      return
    }
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
  })
  request.pipe(sent)
}
