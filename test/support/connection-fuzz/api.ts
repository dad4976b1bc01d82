import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { WebSocketServer } from 'ws'

/** An API that answers early, late, slowly, in parts and not at all, by the last segment of the path. */
export interface FickleApi {
  readonly origin: string
  /** Requests and WebSockets that it has not finished with, by the last two segments of their paths. */
  open(): readonly string[]
  /** The last two segments of every path that it was asked for. */
  readonly asked: ReadonlySet<string>
  stop(): Promise<void>
}

/** A body to which no answer comes is left unread for so long, milliseconds. */
const readsAfterMs = 500

const large = Buffer.alloc(2_000_000, 'x')

type Manner = (response: ServerResponse, request: IncomingMessage) => void

const manners: Readonly<Record<string, Manner>> = {
  ok: (response, request) => void request.resume().once('end', () => response.end('ok')),
  early: (response) => void response.end('early'),
  slow: (response, request) => {
    request.resume()
    setTimeout(() => response.end('slow'), 100)
  },
  // Whoever reads nothing never hears that the other side has left.
  never: (_response, request) => void setTimeout(() => request.resume(), readsAfterMs),
  empty: (response) => void response.writeHead(204).end(),
  unchanged: (response) => void response.writeHead(304, { 'content-length': '5' }).end(),
  large: (response) => void response.end(large),
  events: (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
    const timer = setInterval(() => response.write('data: 2\n\n'), 50)
    response.once('close', () => clearInterval(timer))
  },
  lines: (response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' }).write('{}\n')
    setTimeout(() => response.end('{}\n'), 300)
  },
  reset: (response) => void response.socket?.destroy(),
  broken: (response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('part')
    setTimeout(() => response.socket?.destroy(), 20)
  },
  refuses: (response) => void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end('no'),
}

/** What the API does, by the last segment of the path. */
export const mannerNames = Object.keys(manners)

/** Starts it on a free port. */
export async function startFickleApi(): Promise<FickleApi> {
  const sockets = new Set<Socket>()
  const asked = new Set<string>()
  const open = new Map<object, string>()
  const count = (name: string, emitter: { once(event: 'close', then: () => void): unknown }): void => {
    open.set(emitter, name)
    emitter.once('close', () => open.delete(emitter))
  }
  const nameOf = ({ url }: IncomingMessage): readonly string[] => (url ?? '').split('/').slice(-2)
  const server = createServer((request, response) => {
    const [number = '', manner = ''] = nameOf(request)
    asked.add(`${number}/${manner}`)
    count(`${number}/${manner}`, response)
    const answer = manners[manner] ?? manners.ok
    answer?.(response, request)
  })
  server.on('checkContinue', (request, response) => server.emit('request', request, response))
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket))
  })
  const webSockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const [number = '', manner = ''] = nameOf(request)
    asked.add(`${number}/${manner}`)
    count(`handshake ${number}/${manner}`, socket)
    if (manner === 'refuses') {
      socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
      return
    }
    if (manner === 'never') {
      socket.once('end', () => socket.end()).resume()
      return
    }
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      if (manner === 'halves') socket.end()
      webSocket.on('error', () => undefined).on('message', (data) => webSocket.send(data))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open: () => [...open.values()],
    asked,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}
