import type { IncomingMessage } from 'node:http'
import type { WebSocket } from 'ws'
import { handshakeProblem, versionProblem } from '../../access/handshake.ts'
import { nowhere } from '../../basics/bag.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import { hasBody } from '../../http/lifetime/body.ts'
import type { LifeHolder } from '../../http/lifetime/life.ts'
import { type SessionView, touchIntervalMs } from '../../session/record/session.ts'
import type { Call, CallLease } from '../calls/in-flight.ts'
import { leaseOf } from '../calls/lease.ts'
import { isProved, learnNonce, nonceWanted } from '../exchange/possession.ts'
import { noPlace, toUpstreamError } from '../upstream/upstream-errors.ts'
import { goingAwayCode, JoinedSockets } from './joined-sockets.ts'
import type { WebSocketContext } from './websocket-context.ts'
import {
  asksForNonce,
  connectUpstream,
  createBrowserEnds,
  type Handshake,
  type Refusal,
  readRefusal,
} from './websocket-handshake.ts'

/** Our own close code: the session is over, signing in again helps. */
const sessionEndedCode = 4401
/** Our own as well: what the route asks for is not met any more. */
const forbiddenCode = 4403
const switchingProtocols = 101

/**
 * Connects a browser's WebSocket with the route's upstream. The upstream is asked first, so that its refusal reaches the browser as
 * the HTTP answer that it is; the guard has run before.
 */
export function bridgeWebSocket(context: WebSocketContext, handshake: Handshake): void {
  const { route, openCalls, maxWebsocketsPerSession } = context
  const { request } = handshake
  const problem =
    handshakeProblem(request, hasBody(request.raw), route.config.websocket) ?? versionProblem(request)
  if (problem !== undefined) throw problem
  const { session } = handshake.admission
  if (session !== undefined && openCalls.countWebSockets(session.h) >= maxWebsocketsPerSession) {
    throw new GatewayError('rate_limited', { detail: 'This session holds too many WebSockets open.' })
  }
  new WebSocketBridge(context, handshake).start()
}

/** The handshake of one, with both sides; from then on {@link JoinedSockets} has it. */
class WebSocketBridge implements Call, LifeHolder {
  readonly kind = 'websocket'
  place = nowhere
  readonly owner: string | undefined
  readonly lease?: CallLease
  readonly sessionId: string | undefined
  session: SessionView | undefined
  provenUntilMs: number | undefined
  readonly #context: WebSocketContext
  readonly #handshake: Handshake
  #handshakeTimer: NodeJS.Timeout | undefined
  #upstream: WebSocket | undefined
  /** Once the browser is upgraded. */
  #joined: JoinedSockets | undefined
  /** The browser has its answer, of whatever kind. */
  #isAnswered = false
  #isDone = false
  #wasAskedForNonce = false
  #demandedNonce: string | undefined
  #nextTouchAtMs = 0

  constructor(context: WebSocketContext, handshake: Handshake) {
    this.#context = context
    this.#handshake = handshake
    this.owner = handshake.owner
    const lease = leaseOf(context, handshake.admission, this)
    if (lease !== undefined) this.lease = lease
    this.sessionId = handshake.admission.sessionId
    this.session = handshake.admission.session
    this.provenUntilMs = handshake.admission.provenUntilMs
  }

  /** @throws GatewayError `rate_limited`, `overloaded`, `request_invalid` */
  start(): void {
    const { route, openCalls } = this.#context
    const refused = route.pool.enter(this)
    if (refused !== undefined) throw noPlace(refused, route.config.prefix)
    try {
      this.#connect()
    } catch (error) {
      route.pool.leave(this)
      throw error
    }
    openCalls.streamOpened(this)
    this.#handshake.request.life.hold(this)
  }

  #connect(): void {
    const { route } = this.#context
    const { connectTimeoutMs, firstByteTimeoutMs } = route.config
    const upstream = connectUpstream(this.#context, this.#handshake, this.#demandedNonce)
    this.#upstream = upstream
    this.#handshakeTimer ??= setTimeout(
      () => this.#refuse(new GatewayError('upstream_timeout')),
      connectTimeoutMs + firstByteTimeoutMs,
    )
    upstream.once('upgrade', (answer) => this.#learn(answer))
    upstream.once('open', () => this.#open(upstream))
    upstream.once('unexpected-response', (_handshake, answer) => this.#refused(upstream, answer))
    upstream.on('error', (error) => this.#failed(error))
    upstream.once('close', () => route.pool.leave(this))
  }

  #learn(answer: IncomingMessage): void {
    if (!isProved(this.session)) return
    this.#demandedNonce = learnNonce(this.#context, answer.statusCode ?? 0, answer.rawHeaders)
  }

  #refused(upstream: WebSocket, answer: IncomingMessage): void {
    const { route } = this.#context
    const { admission } = this.#handshake
    this.#learn(answer)
    if (asksForNonce(answer, this.#context, admission)) {
      if (this.#wasAskedForNonce || this.#isAnswered) this.#refuse(nonceWanted(this.#context))
      else this.#proveAgain(upstream)
      return
    }
    readRefusal(answer, route, admission, this.#context)
      .then((refusal) => this.#passRefusal(refusal))
      .catch((error: unknown) => this.#refuse(error))
  }

  /** With the nonce that has just come. The place is kept. */
  #proveAgain(refused: WebSocket): void {
    this.#wasAskedForNonce = true
    refused.removeAllListeners()
    refused.on('error', () => undefined)
    refused.terminate()
    this.#connect()
  }

  /** The browser left. What it sent before may still be on its way to the upstream, for a moment. */
  lifeEnded(): void {
    this.#isAnswered = true
    if (this.#joined !== undefined) {
      this.#joined.terminateSoon()
      return
    }
    this.#upstream?.terminate()
    this.#done()
  }

  endSession(): void {
    if (this.#joined === undefined) this.#refuse(new GatewayError('session_expired'))
    else this.#joined.close(sessionEndedCode, 'session ended')
  }

  /** The route's rule is not met any more. */
  endRights(): void {
    if (this.#joined === undefined) this.#refuse(new GatewayError('forbidden'))
    else this.#joined.close(forbiddenCode, 'not permitted any more')
  }

  goAway(): void {
    if (this.#joined === undefined) this.#refuse(new GatewayError('draining'))
    else this.#joined.close(goingAwayCode, 'shutting down')
  }

  /** The upstream has agreed: the browser is upgraded, with the subprotocol that the upstream chose. */
  #open(upstream: WebSocket): void {
    const { request, upgrade } = this.#handshake
    if (this.#isAnswered) return
    this.#isAnswered = true
    clearTimeout(this.#handshakeTimer)
    request.takeAnswer()
    request.response.statusCode = switchingProtocols
    request.response.detachSocket(upgrade.socket)
    if (upstream.protocol === '') delete request.raw.headers['sec-websocket-protocol']
    else request.raw.headers['sec-websocket-protocol'] = upstream.protocol
    const server = createBrowserEnds(this.#context.route)
    server.handleUpgrade(request.raw, upgrade.socket, upgrade.take(), (browser) =>
      this.#join(browser, upstream),
    )
  }

  #join(browser: WebSocket, upstream: WebSocket): void {
    this.#joined = new JoinedSockets({
      browser,
      upstream,
      connection: this.#handshake.request.life.connection,
      idleTimeoutMs: this.#context.route.config.streamIdleTimeoutMs ?? 0,
      onMessage: () => this.#noteActivity(),
      onOver: () => this.#done(),
    })
  }

  checkSilence(): void {
    if (!this.#isDone && this.#joined?.isBrowserGone() === true) this.#joined.terminate()
  }

  /** A message from the browser is activity of its user; written down no more often than any other. */
  #noteActivity(): void {
    const { session } = this
    if (session === undefined) return
    const nowMs = this.#context.now()
    if (nowMs < this.#nextTouchAtMs) return
    this.#nextTouchAtMs = nowMs + touchIntervalMs(this.#context.limits)
    this.#context.sessions.touch(session)
  }

  #failed(error: Error): void {
    if (this.#joined === undefined) this.#refuse(error)
    else this.#joined.failed(error)
  }

  #refuse(error: unknown): void {
    if (this.#isAnswered) return
    this.#isAnswered = true
    this.#done()
    this.#upstream?.terminate()
    this.#handshake.request.refuse(toUpstreamError(error, this.#context.route))
  }

  #passRefusal(refusal: Refusal): void {
    if (this.#isAnswered) return
    const { request } = this.#handshake
    // Throws when the upstream's headers hold what HTTP forbids; nothing is written then.
    request.response.writeHead(refusal.status, [...refusal.headers])
    this.#isAnswered = true
    this.#done()
    request.takeAnswer()
    request.response.end(refusal.body)
    this.#upstream?.terminate()
  }

  #done(): void {
    if (this.#isDone) return
    this.#isDone = true
    clearTimeout(this.#handshakeTimer)
    this.#context.openCalls.streamClosed(this)
  }
}
