import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'

/** A request as it arrived, names and values as they were spelled. */
export interface ArrivedRequest {
  readonly method: string
  readonly target: string
  /** Pairs of name and value. */
  readonly headers: readonly (readonly [string, string])[]
  readonly trailers: readonly string[]
  /** Grows while the body comes. */
  readonly bodyBytes: () => number
  /** The whole body, once it has come. */
  readonly body: Promise<Buffer>
  /** Number of the connection, from 0. */
  readonly connection: number
  /** Resolves when its connection is closed. */
  readonly aborted: Promise<void>
}

/** Answers a request in the way that a test wants. */
export type Script = (
  response: ServerResponse,
  request: ArrivedRequest,
  raw: IncomingMessage,
) => void | Promise<void>

/** An API of the tests, which records raw requests and misbehaves on demand. */
export interface Upstream {
  readonly origin: string
  readonly port: number
  readonly requests: readonly ArrivedRequest[]
  /** Connections opened so far. */
  connectionCount(): number
  /** Answers targets whose path is `path` by this script, from now on; others are echoed. */
  on(path: string, script: Script): void
  /** Takes WebSockets: called for each that was opened. Without, every handshake is answered 404. */
  onWebSocket(accept: (socket: WebSocket, request: ArrivedRequest) => void, protocol?: string): void
  /** Answers handshakes itself. */
  onHandshake(script: (socket: Socket, request: ArrivedRequest) => void): void
  /** Resolves with the next request. */
  next(): Promise<ArrivedRequest>
  stop(): Promise<void>
}

/** All values of a header, by its name in lower case. */
export function valuesOf(request: ArrivedRequest, name: string): readonly string[] {
  return request.headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value)
}

/** Starts an upstream on a free port of 127.0.0.1. */
export async function startUpstream(): Promise<Upstream> {
  const requests: ArrivedRequest[] = []
  const scripts = new Map<string, Script>()
  const waiting: ((request: ArrivedRequest) => void)[] = []
  const connections = new Map<Socket, Connection>()
  let handshake:
    | ((socket: Socket, request: ArrivedRequest, raw: IncomingMessage, head: Buffer) => void)
    | undefined
  const record = (raw: IncomingMessage): ArrivedRequest => {
    const request = arrive(raw, connections.get(raw.socket) ?? { number: -1, closed: Promise.resolve() })
    requests.push(request)
    for (const resolve of waiting.splice(0)) resolve(request)
    return request
  }
  const server = createServer((raw, response) => {
    const request = record(raw)
    const path = request.target.split('?', 1)[0] ?? ''
    const script = scripts.get(path) ?? echo
    Promise.resolve(script(response, request, raw)).catch(() => response.destroy())
  })
  server.on('connection', (socket) => {
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    connections.set(socket, { number: connections.size, closed })
  })
  server.on('checkContinue', (raw, response) => server.emit('request', raw, response))
  server.on('upgrade', (raw: IncomingMessage, socket: Socket, head: Buffer) => {
    const request = record(raw)
    if (handshake === undefined)
      socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
    else handshake(socket, request, raw, head)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    requests,
    connectionCount: () => connections.size,
    on: (path, script) => void scripts.set(path, script),
    onWebSocket(accept, protocol) {
      const sockets = new WebSocketServer({
        noServer: true,
        perMessageDeflate: false,
        autoPong: true,
        ...(protocol !== undefined && { handleProtocols: () => protocol }),
      })
      handshake = (socket, request, raw, head) =>
        sockets.handleUpgrade(raw, socket, head, (opened) => accept(opened, request))
    },
    onHandshake(script) {
      handshake = script
    },
    next: () => new Promise((resolve) => waiting.push(resolve)),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of connections.keys()) socket.destroy()
      }),
  }
}

interface Connection {
  readonly number: number
  readonly closed: Promise<void>
}

function arrive(raw: IncomingMessage, connection: Connection): ArrivedRequest {
  let bodyBytes = 0
  const body = Promise.withResolvers<Buffer>()
  const chunks: Buffer[] = []
  raw.on('data', (chunk: Buffer) => {
    bodyBytes += chunk.length
    // Large bodies are counted only: the streaming tests look at memory.
    if (bodyBytes <= 4_194_304) chunks.push(chunk)
  })
  raw.once('end', () => body.resolve(Buffer.concat(chunks)))
  const headers: [string, string][] = []
  for (let at = 0; at + 1 < raw.rawHeaders.length; at += 2) {
    headers.push([raw.rawHeaders[at] ?? '', raw.rawHeaders[at + 1] ?? ''])
  }
  return {
    method: raw.method ?? '',
    target: raw.url ?? '',
    headers,
    get trailers() {
      return raw.rawTrailers
    },
    bodyBytes: () => bodyBytes,
    body: body.promise,
    connection: connection.number,
    aborted: connection.closed,
  }
}

const echo: Script = async (response, request) => {
  const body = (await request.body).toString('latin1')
  const { method, target, headers } = request
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ method, target, headers, body }))
}
