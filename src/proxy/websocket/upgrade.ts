import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { GatewayError } from '../../errors/gateway-error.ts'
import { hasBody } from '../../http/lifetime/linger.ts'
import { endWithProblem } from '../../http/server/server-options.ts'

/** The connection of an upgrade request, and what came on it behind the request's head. */
export interface UpgradeSocket {
  readonly socket: Duplex
  readonly head: Buffer
}

const upgradeMark = Symbol('upgrade')

interface MarkedRequest extends IncomingMessage {
  [upgradeMark]?: UpgradeSocket
}

/** The connection to upgrade, when the request asked for a WebSocket. */
export function upgradeSocketOf(request: MarkedRequest): UpgradeSocket | undefined {
  return request[upgradeMark]
}

/** Whether the request asked for a WebSocket. */
export function isUpgrade(request: MarkedRequest): boolean {
  return request[upgradeMark] !== undefined
}

/**
 * Sends WebSocket handshakes through the router like any other request, so that the same routes, hooks and guards run. Other
 * upgrades (`h2c`) are ignored, as HTTP allows (RFC 9110 section 7.8): the request is answered as if it had asked for none. CONNECT, which
 * Node hands over in the same way, is refused.
 */
export function installUpgrades(app: FastifyInstance): void {
  const { server } = app
  // Recent Node asks here; older Node emits 'upgrade' for every upgrade there is, and does not read the body behind it.
  Object.assign(server, { shouldUpgradeCallback: asksForWebSocket })
  server.on('upgrade', (request: MarkedRequest, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    const response = createResponse(request, socket)
    if (asksForWebSocket(request)) request[upgradeMark] = { socket, head }
    else if (hasBody(request)) {
      response.writeHead(400).end()
      return
    }
    app.routing(request, response)
  })
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    socket.on('error', () => socket.destroy())
    endWithProblem(socket, new GatewayError('method_not_allowed'))
  })
}

function asksForWebSocket(request: IncomingMessage): boolean {
  return request.headers.upgrade?.toLowerCase() === 'websocket'
}

/** A response on a connection that the server has let go of: it is the last on it. */
function createResponse(request: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  // The server hands over the net.Socket itself; the event's type says no more than Duplex.
  response.assignSocket(socket as ServerResponse['socket'] & object)
  response.on('finish', () => socket.end())
  return response
}
