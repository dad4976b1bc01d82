import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ErrorCode } from '../../errors/codes.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import { newRequestId } from '../server/server.ts'
import { hasBody } from './body.ts'
import { answerClientError, endWithProblem } from './client-error.ts'
import { BrowserConnection, connectionOf, type OwnedSocket } from './connection.ts'
import { makeLast, type RequestLife } from './life.ts'
import type { ReportUnrouted, Unrouted } from './unrouted.ts'
import { asksForWebSocket, createUpgradeResponse, UpgradeSocket } from './upgrade.ts'

/** Hands a request to whoever answers it; its owner is found by `lifeOf`. */
export type Route = (request: IncomingMessage, response: ServerResponse) => void

/** How a listener is owned. */
export interface OwnOptions {
  /** `plain`: whoever asks for one is answered as if not, by any Node: without a listener it hands them on as requests. */
  readonly upgrades?: 'websocket' | 'plain'
  /** Told of what is refused here: nobody else hears of that. */
  readonly report?: ReportUnrouted
}

/** A listener whose requests have owners. */
export interface OwnedListener {
  readonly connections: ReadonlySet<BrowserConnection>
  /** From now on each answer is the last on its connection, so that clients go elsewhere in order; none is refused or cut off. */
  beginDraining(): void
  isDraining(): boolean
}

/** What has not moved for so long does not move any more, milliseconds; slow readers show no more than a move in minutes. */
const stuckMs = 900_000
const stuckCheckMs = 30_000

/**
 * Takes over all events of a server that can bring a request: each gets its owner here, before it is handed on, and none can reach an
 * answer that is under way on the same connection. Nothing else may listen to them.
 *
 * @param route called for every request and every upgrade; CONNECT and what is no HTTP are refused here
 */
export function ownLives(
  server: Server,
  route: Route,
  { upgrades = 'websocket', report = () => undefined }: OwnOptions = {},
): OwnedListener {
  const owned = new Listener(route, report, upgrades)
  for (const event of ['request', 'upgrade', 'connect', 'checkContinue', 'checkExpectation', 'clientError']) {
    server.removeAllListeners(event)
  }
  if (upgrades === 'websocket') {
    // Recent Node asks here; older Node emits 'upgrade' for every upgrade there is, and does not read the body behind it.
    Object.assign(server, { shouldUpgradeCallback: asksForWebSocket })
    server.on('upgrade', owned.upgrade)
  }
  server.prependListener('connection', owned.opened)
  server.on('request', owned.request)
  server.on('checkContinue', owned.checkContinue)
  server.on('checkExpectation', owned.request)
  server.on('connect', owned.connect)
  server.on('clientError', owned.clientError)
  const closeIdle = server.closeIdleConnections.bind(server)
  // What Node calls when it closes, as does everybody else.
  server.closeIdleConnections = () => {
    if (!owned.isSending()) closeIdle()
  }
  const sweeper = setInterval(owned.cutStuck, stuckCheckMs).unref()
  server.once('close', () => clearInterval(sweeper))
  return owned
}

class Listener implements OwnedListener {
  readonly connections = new Set<BrowserConnection>()
  readonly #route: Route
  readonly #report: ReportUnrouted
  readonly #upgrades: OwnOptions['upgrades']
  #isDraining = false

  constructor(route: Route, report: ReportUnrouted, upgrades: OwnOptions['upgrades']) {
    this.#upgrades = upgrades
    this.#route = route
    this.#report = report
  }

  beginDraining(): void {
    this.#isDraining = true
    for (const connection of this.connections) {
      // Those before it on the connection would otherwise keep it from being answered.
      const last = connection.lives.at(-1)
      if (last?.response.headersSent === false) makeLast(last.response)
      connection.beginAll()
    }
  }

  isDraining(): boolean {
    return this.#isDraining
  }

  readonly opened = (socket: OwnedSocket): void => {
    const connection = new BrowserConnection(socket)
    this.connections.add(connection)
    socket.once('close', () => this.connections.delete(connection))
    if (wasResetBefore(socket)) connection.destroy()
  }

  readonly request = (request: IncomingMessage, response: ServerResponse): void => {
    const life = this.#begin(request, response)
    if (life !== undefined) this.#routeInTurn(life)
  }

  /**
   * `Expect: 100-continue`: the client is asked for its body only once somebody wants it (RFC 9110 section 10.1.1), so that a large upload
   * without a session costs one answer. Where the answer comes instead, Node ends the connection with it: nobody can tell whether the
   * bytes that follow are the body after all. Other expectations are ignored, as that section allows.
   */
  readonly checkContinue = (request: IncomingMessage, response: ServerResponse): void => {
    const life = this.#begin(request, response)
    if (life === undefined) return
    life.expectInvitation()
    this.#routeInTurn(life)
  }

  /**
   * WebSocket handshakes go through the router like any other request, so that the same routes, hooks and guards run. Other upgrades
   * are answered as if none had been asked for.
   */
  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const connection = this.#takeOver(request, socket, 'request_invalid')
    if (connection === undefined) return
    const isWebSocket = asksForWebSocket(request)
    // The body of such a request was not read as one.
    if (!isWebSocket && hasBody(request)) {
      endWithProblem(connection, askedBy(request), new GatewayError('request_invalid'), this.#report)
      return
    }
    const response = createUpgradeResponse(request, connection)
    const upgrade = new UpgradeSocket(connection.socket, head)
    response.once('finish', () => upgrade.discard())
    connection.begin(request, response, isWebSocket ? upgrade : undefined)
    this.#route(request, response)
  }

  readonly connect = (request: IncomingMessage, socket: Duplex): void => {
    const code = 'method_not_allowed'
    const connection = this.#takeOver(request, socket, code)
    if (connection === undefined) return
    endWithProblem(connection, askedBy(request), new GatewayError(code), this.#report)
  }

  readonly clientError = (error: Error, socket: Duplex): void => {
    answerClientError(error, socket as Socket, this.#report)
  }

  /**
   * Whether an answer that is all written is on its way to a slow client: Node would take its connection for idle, and cut it off. Until it has
   * gone out none is closed.
   */
  isSending(): boolean {
    for (const { lives } of this.connections) if (lives[0]?.response.writableEnded === true) return true
    return false
  }

  readonly cutStuck = (): void => {
    const nowMs = performance.now()
    for (const connection of this.connections) {
      const sinceMs = connection.stuckSinceMs(nowMs)
      if (sinceMs > 0 && nowMs - sinceMs >= stuckMs) connection.destroy()
    }
  }

  #routeInTurn({ request, response, connection }: RequestLife): void {
    if (connection.isInTurn) this.#route(request, response)
    else connection.wait(() => this.#route(request, response))
  }

  /** `undefined`: nothing more is answered on this connection. */
  #begin(request: IncomingMessage, response: ServerResponse): RequestLife | undefined {
    const connection = connectionOf(request.socket)
    if (connection === undefined) {
      request.socket.destroy()
      return undefined
    }
    if (connection.isClosing) {
      connection.ignore()
      return undefined
    }
    // Node loses what a client sends right behind an upgrade that is not wanted: nobody may wait for the answer to that.
    if (this.#isDraining || (this.#upgrades === 'websocket' && request.headers.upgrade !== undefined)) {
      makeLast(response)
    }
    return connection.begin(request, response)
  }

  /**
   * A connection that the server has let go of. While an answer is owed on it, whatever is written now would become part of that answer,
   * and the server no longer tells those that wait of its end: so it is closed, which ends them all. Behind the last answer it ends in order; a
   * request there that was ignored may still have what the server would answer it with on the connection, where nothing else can be put.
   *
   * @param code why it is not answered then
   */
  #takeOver(request: IncomingMessage, socket: Duplex, code: ErrorCode): BrowserConnection | undefined {
    socket.on('error', () => socket.destroy())
    const connection = connectionOf(socket)
    if (connection?.isBusy === false) {
      if (!connection.isClosing) return connection
      connection.endInOrder()
      socket.resume()
      return undefined
    }
    if (connection?.isEnding === false) {
      this.#report({ ...askedBy(request), requestId: newRequestId(), code, isAnswered: false })
    }
    socket.destroy()
    return undefined
  }
}

/**
 * A client that resets its connection before it is accepted has no address to be limited by, and no answer reaches it: what it sent is not carried
 * out. Node remembers an address that was asked for once, so that it is known whenever the reset comes. What is no TCP has no address at all.
 */
function wasResetBefore({ remoteAddress, localAddress }: Socket): boolean {
  return remoteAddress === undefined && localAddress !== undefined
}

function askedBy({ method = '', url = '' }: IncomingMessage): Pick<Unrouted, 'method' | 'target'> {
  return { method, target: url }
}
