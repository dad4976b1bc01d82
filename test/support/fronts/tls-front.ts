import { type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http'
import { createServer } from 'node:https'
import { connect } from 'node:net'

/** A proxy that ends TLS in front of a gateway, as every deployment has one. */
export interface TlsFront {
  readonly port: number
  stop(): Promise<void>
}

/** Certificate and key, PEM. */
export interface TlsIdentity {
  readonly cert: string | Buffer
  readonly key: string | Buffer
}

/** Listens with TLS on loopback and passes everything on to `127.0.0.1:targetPort`, upgrades included. */
export async function startTlsFront(targetPort: number, identity: TlsIdentity): Promise<TlsFront> {
  const server = createServer({ ...identity }, (request, response) => pass(request, response, targetPort))
  server.on('upgrade', (request, socket, head) => {
    const onward = connect(targetPort, '127.0.0.1', () => {
      const lines = request.rawHeaders.flatMap((name, index, all) =>
        index % 2 === 0 ? [`${name}: ${all[index + 1]}`] : [],
      )
      onward.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
      onward.write(head)
      onward.pipe(socket).pipe(onward)
    })
    for (const side of [socket, onward]) {
      side.on('error', () => {
        socket.destroy()
        onward.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: address !== null && typeof address === 'object' ? address.port : 0,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function pass(request: IncomingMessage, response: ServerResponse, port: number): void {
  const { method = 'GET', url: path = '/', headers } = request
  const onward = sendRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answer.rawHeaders)
    answer.pipe(response)
  })
  onward.on('error', () => response.destroy())
  response.on('close', () => onward.destroy())
  request.pipe(onward)
}
