import { createServer, type ServerResponse } from 'node:http'
import { WebSocketServer } from 'ws'

/**
 * The API behind every gateway: sends a body of the size that the path names, reads whatever it is sent. `/api/events` is an event stream
 * that ticks every `EVENT_MS` milliseconds (0: once, at its beginning), and every WebSocket is an echo.
 */
const bodies: Readonly<Record<string, Buffer>> = {
  '/api/1k': jsonOf(1_024),
  '/api/100k': jsonOf(102_400),
}
const accepted = Buffer.from('{"ok":true}')

function jsonOf(bytes: number): Buffer {
  const frame = '{"data":""}'
  return Buffer.from(`{"data":"${'x'.repeat(bytes - frame.length)}"}`)
}

const eventMs = Number(process.env.EVENT_MS ?? 0)
const event = `data: ${'x'.repeat(100)}\n\n`
const streams = new Set<ServerResponse>()

function openStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).write(event)
  streams.add(response)
  response.once('close', () => streams.delete(response))
}

const server = createServer((request, response) => {
  if (request.url === '/api/events') {
    openStream(response)
    return
  }
  request.resume()
  request.once('end', () => {
    const body = request.method === 'POST' ? accepted : bodies[request.url ?? '']
    response.writeHead(body === undefined ? 404 : 200, {
      'content-type': 'application/json',
      'content-length': body?.length ?? 0,
    })
    response.end(body)
  })
})
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }))
})
if (eventMs > 0) {
  setInterval(() => {
    for (const stream of streams) stream.write(event)
  }, eventMs)
}
// Longer than any gateway keeps a connection, so that nobody runs into a closing one.
server.keepAliveTimeout = 120_000
server.listen(Number(process.env.PORT), '127.0.0.1')
