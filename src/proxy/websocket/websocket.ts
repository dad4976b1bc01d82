import type { FastifyReply, FastifyRequest } from 'fastify'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Admission } from '../../access/admission.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { Sessions } from '../../session/lifecycle/sessions.ts'
import { type SessionLimits, type SessionView, touchIntervalMs } from '../../session/record/session.ts'
import { goodbyeMs, type OpenStream, type OpenStreams } from '../exchange/open-streams.ts'
import type { ProxyRoute } from '../routes/proxy-route.ts'
import { toUpstreamError } from '../upstream/upstream-errors.ts'
import { type UpgradeSocket, upgradeSocketOf } from './upgrade.ts'
import { connectUpstream, handshakeProblem, type Refusal, readRefusal } from './websocket-handshake.ts'
import { closeLike, relay } from './websocket-relay.ts'

/** What every WebSocket of a route shares. */
export interface WebSocketContext {
  readonly route: ProxyRoute
  readonly openStreams: OpenStreams
  readonly sessions: Pick<Sessions, 'touch'>
  readonly limits: SessionLimits
  readonly authPrefix: string
  readonly maxWebsocketsPerSession: number
  readonly now: () => number
}

/** Our own close code: the session is over, signing in again helps. */
const sessionEndedCode = 4401
/** RFC 6455 section 7.4.1. */
const goingAwayCode = 1001
const messageTooBigCode = 1009
const internalErrorCode = 1011
const switchingProtocols = 101

/**
 * Connects a browser's WebSocket with the route's upstream. The upstream is asked first, so that its refusal reaches the browser as
 * the HTTP answer that it is; the guard has run before.
 */
export function bridgeWebSocket(
  context: WebSocketContext,
  request: FastifyRequest,
  reply: FastifyReply,
  admission: Admission,
): void {
  const { route, openStreams, maxWebsocketsPerSession } = context
  const problem = handshakeProblem(request, route)
  if (problem !== undefined) throw problem
  const { session } = admission
  if (session !== undefined && openStreams.countWebSockets(session.h) >= maxWebsocketsPerSession) {
    throw new GatewayError('rate_limited', { detail: 'This session holds too many WebSockets open.' })
  }
  const upgrade = upgradeSocketOf(request.raw)
  if (upgrade === undefined) throw new TypeError('not an upgrade')
  const upstream = connectUpstream(route, request, admission)
  openStreams.add(new WebSocketBridge(context, { request, reply, admission, upgrade, upstream }))
}

/** The two ends of a bridge. */
interface Ends {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly admission: Admission
  readonly upgrade: UpgradeSocket
  readonly upstream: WebSocket
}

class WebSocketBridge implements OpenStream {
  readonly kind = 'websocket'
  readonly sessionId: string | undefined
  readonly session: SessionView | undefined
  readonly #context: WebSocketContext
  readonly #ends: Ends
  readonly #handshakeTimer: NodeJS.Timeout
  #idleTimer: NodeJS.Timeout | undefined
  #browser: WebSocket | undefined
  /** The browser has its answer, of whatever kind. */
  #isAnswered = false
  #nextTouchAtMs = 0

  constructor(context: WebSocketContext, ends: Ends) {
    this.#context = context
    this.#ends = ends
    this.sessionId = ends.admission.sessionId
    this.session = ends.admission.session
    const { upstream, upgrade } = ends
    const { connectTimeoutMs, firstByteTimeoutMs } = context.route.config
    this.#handshakeTimer = setTimeout(
      () => this.#refuse(new GatewayError('upstream_timeout')),
      connectTimeoutMs + firstByteTimeoutMs,
    )
    upgrade.socket.once('close', () => this.#abandon())
    upstream.once('open', () => this.#open())
    upstream.once('unexpected-response', (_handshake, answer) => {
      const { route, authPrefix } = this.#context
      readRefusal(answer, route, ends.admission.target, authPrefix)
        .then((refusal) => this.#passRefusal(refusal))
        .catch((error: unknown) => this.#refuse(error))
    })
    upstream.on('error', (error) => this.#failed(error))
  }

  endSession(): void {
    if (this.#browser === undefined) this.#refuse(new GatewayError('session_expired'))
    else this.#close(sessionEndedCode, 'session ended')
  }

  goAway(): void {
    if (this.#browser === undefined) this.#refuse(new GatewayError('draining'))
    else this.#close(goingAwayCode, 'shutting down')
  }

  /** The upstream has agreed: the browser is upgraded, with the subprotocol that the upstream chose. */
  #open(): void {
    const { request, reply, upgrade, upstream } = this.#ends
    if (this.#isAnswered) return
    this.#isAnswered = true
    clearTimeout(this.#handshakeTimer)
    reply.hijack()
    reply.raw.statusCode = switchingProtocols
    reply.raw.detachSocket(upgrade.socket as never)
    if (upstream.protocol === '') delete request.raw.headers['sec-websocket-protocol']
    else request.raw.headers['sec-websocket-protocol'] = upstream.protocol
    const server = createServer(this.#context.route)
    server.handleUpgrade(request.raw, upgrade.socket, upgrade.head, (browser) => this.#join(browser))
  }

  #join(browser: WebSocket): void {
    this.#browser = browser
    const { upstream } = this.#ends
    const { streamIdleTimeoutMs = 0 } = this.#context.route.config
    if (streamIdleTimeoutMs > 0) {
      this.#idleTimer = setTimeout(() => this.#close(goingAwayCode, 'idle'), streamIdleTimeoutMs)
    }
    browser.on('error', (error) => this.#failed(error))
    browser.once('close', (code, reason) => this.#sideClosed(upstream, code, reason, goingAwayCode))
    upstream.once('close', (code, reason) => this.#sideClosed(browser, code, reason, internalErrorCode))
    relay(browser, upstream, (isMessage) => {
      this.#idleTimer?.refresh()
      if (isMessage) this.#noteActivity()
    })
    relay(upstream, browser, () => this.#idleTimer?.refresh())
  }

  /** A message from the browser is activity of its user; written down no more often than any other. */
  #noteActivity(): void {
    const { session } = this
    if (session === undefined) return
    const nowMs = this.#context.now()
    if (nowMs < this.#nextTouchAtMs) return
    this.#nextTouchAtMs = nowMs + touchIntervalMs(this.#context.limits)
    this.#context.sessions.touch(session)
    this.#context.openStreams.noteActivity(session.h)
  }

  /** Both sides at once; what is still under way is no longer passed on. */
  #close(code: number, reason: string): void {
    const { upstream } = this.#ends
    for (const side of [this.#browser, upstream]) {
      side?.removeAllListeners('message')
      side?.resume()
      side?.close(side === upstream ? goingAwayCode : code, side === upstream ? '' : reason)
    }
    setTimeout(() => this.#terminate(), goodbyeMs).unref()
  }

  #terminate(): void {
    this.#ends.upstream.terminate()
    this.#browser?.terminate()
    this.#done()
  }

  #sideClosed(other: WebSocket, code: number, reason: Buffer, lossCode: number): void {
    other.resume()
    closeLike(other, code, reason, lossCode)
    setTimeout(() => other.terminate(), goodbyeMs).unref()
    this.#done()
  }

  #failed(error: Error): void {
    if (this.#browser === undefined) this.#refuse(error)
    else if ('code' in error && error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') {
      this.#browser.close(messageTooBigCode)
      this.#ends.upstream.close(messageTooBigCode)
    }
  }

  #refuse(error: unknown): void {
    if (this.#isAnswered) return
    this.#isAnswered = true
    this.#done()
    this.#ends.upstream.terminate()
    this.#ends.reply.send(toUpstreamError(error, this.#context.route))
  }

  #passRefusal(refusal: Refusal): void {
    if (this.#isAnswered) return
    const { reply, upstream } = this.#ends
    // Throws when the upstream's headers hold what HTTP forbids; nothing is written then.
    reply.raw.writeHead(refusal.status, [...refusal.headers])
    this.#isAnswered = true
    this.#done()
    reply.hijack()
    reply.raw.end(refusal.body)
    upstream.terminate()
  }

  /** The browser left before it had a WebSocket. */
  #abandon(): void {
    if (this.#browser !== undefined) return
    this.#isAnswered = true
    this.#ends.upstream.terminate()
    this.#done()
  }

  #done(): void {
    clearTimeout(this.#handshakeTimer)
    clearTimeout(this.#idleTimer)
    this.#context.openStreams.remove(this)
    // Off its connection the response never hears of the end, for which the request log waits.
    if (this.#browser !== undefined) this.#ends.reply.raw.emit('close')
  }
}

function createServer(route: ProxyRoute): WebSocketServer {
  return new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: route.config.websocketMaxMessageBytes,
  })
}
