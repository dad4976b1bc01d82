import { createServer, type ServerResponse } from 'node:http'
import { WebSocketServer } from 'ws'

/**
 * The API behind every gateway for what stays open: `/api/events` sends an event whenever the clock ticks, `PORT` says where, `EVENT_MS`
 * how often (0: one at the beginning), and every WebSocket is an echo.
 */
const eventMs = Number(process.env.EVENT_MS ?? 0)
const event = `data: ${'x'.repeat(100)}\n\n`
const streams = new Set<ServerResponse>()

const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).write(event)
  streams.add(response)
  response.once('close', () => streams.delete(response))
})
server.keepAliveTimeout = 120_000
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }))
})
if (eventMs > 0) setInterval(() => streams.forEach((stream) => void stream.write(event)), eventMs)
server.listen(Number(process.env.PORT), '127.0.0.1')
