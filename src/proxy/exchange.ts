import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Dispatcher } from 'undici'
import { GatewayError } from '../errors/gateway-error.ts'
import type { AccessToken, ApiAudience } from '../oidc/token-set.ts'
import type { SessionView } from '../session/session.ts'
import type { AccessTokens } from '../session/sessions.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { type Admission, forwardedFor } from './admission.ts'
import type { OpenStream, OpenStreams } from './open-streams.ts'
import type { ProxyRoute } from './proxy-route.ts'
import { bearerChallengeOf, stepUpRequired } from './step-up.ts'
import { linger, Upload, type UploadObserver } from './upload.ts'
import { reasonOf, toUpstreamError } from './upstream-errors.ts'
import { type InFlight, sweepMs } from './upstream-pool.ts'

/** What every exchange of a route shares. */
export interface ExchangeContext {
  readonly route: ProxyRoute
  readonly accessTokens: Pick<AccessTokens, 'cure'>
  readonly openStreams: OpenStreams
  readonly metrics: Pick<Metrics, 'upstream'>
  readonly authPrefix: string
}

/** Methods that may be sent twice, when they carry no body (RFC 9110 section 9.2.2). */
const idempotentMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/** The head of an upstream's answer. */
interface Answer {
  readonly status: number
  readonly rawHeaders: readonly Buffer[]
  readonly resume: () => void
  readonly statusText: string
}

/**
 * `waiting` for the head of the answer; `held`: a 401 waits until it is known whether another token cures it; `streaming` the
 * answer; `settled`: nothing more is done for it.
 */
type Phase = 'waiting' | 'held' | 'streaming' | 'settled'

/**
 * One proxied request: sent through undici's `dispatch`, its answer written to the browser chunk by chunk as it comes, without
 * a stream in between. Until the answer's head is written a failure goes the usual way through the reply; afterwards there is
 * nothing to say but to cut the connection.
 */
export class Exchange implements InFlight, UploadObserver, OpenStream {
  readonly kind = 'sse'
  readonly sessionId: string | undefined
  readonly session: SessionView | undefined
  readonly #context: ExchangeContext
  readonly #request: FastifyRequest
  readonly #reply: FastifyReply
  readonly #response: ServerResponse
  readonly #admission: Admission
  readonly #startedAtMs = performance.now()
  readonly #upload: Upload | undefined
  #token: AccessToken | undefined
  #phase: Phase = 'waiting'
  #abort: ((error?: Error) => void) | undefined
  #resume: (() => void) | undefined
  /** Set while an attempt is given up for the next one, so that its error concerns nobody. */
  #isReplacing = false
  #wasRetried = false
  #wasCured = false
  /** The upstream has finished an answer that is still held. */
  #isHeldComplete = false
  #isEventStream = false
  #hasWritten = false
  /** The sweep at which something last moved, in either direction. */
  #movedAtSweep = 0
  /** Announced bytes of the body that are still to come; negative when none were announced. */
  #remainingBytes = -1

  constructor(context: ExchangeContext, request: FastifyRequest, reply: FastifyReply, admission: Admission) {
    this.#context = context
    this.#request = request
    this.#reply = reply
    this.#response = reply.raw
    this.#admission = admission
    this.#token = admission.token
    this.sessionId = admission.sessionId
    this.session = admission.session
    this.#upload = hasBody(request) ? new Upload(request.raw, this) : undefined
  }

  start(): void {
    const { pool, config } = this.#context.route
    if (!pool.enter(this)) {
      this.#phase = 'settled'
      this.#reply.send(new GatewayError('overloaded', { context: { route: config.prefix } }))
      return
    }
    this.#response.once('close', () => this.#browserClosed())
    this.#send()
  }

  #send(): void {
    const { route } = this.#context
    const { raw } = this.#request
    this.#phase = 'waiting'
    this.#abort = undefined
    this.#movedAtSweep = route.pool.sweep
    const headers = route.requestHeaders(raw.rawHeaders, raw.headers.connection, {
      authorization: this.#token === undefined ? undefined : `Bearer ${this.#token.value}`,
      forwardedFor: forwardedFor(this.#request),
      requestId: this.#request.id,
    })
    // An Upload has the part of a stream that undici uses.
    const body = (this.#upload as unknown as Readable | undefined) ?? null
    const method = (raw.method ?? 'GET') as Dispatcher.HttpMethod
    route.pool.dispatch({ path: this.#admission.target, method, headers, body }, this)
  }

  // What undici calls.

  onConnect(abort: (error?: Error) => void): void {
    if (this.#phase === 'settled') abort()
    else this.#abort = abort
  }

  onHeaders(status: number, rawHeaders: Buffer[], resume: () => void, statusText: string): boolean {
    if (status < 200 || this.#phase === 'settled') return true
    this.#movedAtSweep = this.#context.route.pool.sweep
    const answer: Answer = { status, rawHeaders, resume, statusText }
    if (status === 401 && this.#token !== undefined && this.#isTakenOver(answer, this.#token)) return false
    this.#begin(answer)
    return true
  }

  onData(chunk: Buffer): boolean {
    if (this.#phase === 'settled') return true
    this.#movedAtSweep = this.#context.route.pool.sweep
    this.#hasWritten = true
    this.#remainingBytes -= chunk.length
    if (this.#remainingBytes === 0) {
      this.#response.end(chunk)
      return true
    }
    if (this.#response.write(chunk)) return true
    this.#response.once('drain', () => this.#drained())
    return false
  }

  /** Trailer fields are not passed on: they would escape the header policy (RFC 9110 section 6.5.1 allows to drop them). */
  onComplete(): void {
    if (this.#phase === 'held') {
      this.#isHeldComplete = true
      return
    }
    if (this.#phase === 'settled') return
    this.#settle('ok')
    if (!this.#response.writableEnded) this.#response.end()
    if (this.#upload?.isEnded === false) linger(this.#request.raw)
  }

  onError(error: Error): void {
    if (this.#isReplacing || this.#phase === 'settled') return
    const mayRepeat = this.#phase === 'waiting' && !this.#wasRetried && this.#isRepeatable()
    if (mayRepeat && this.#context.route.pool.wasReused(error)) {
      this.#wasRetried = true
      this.#send()
    } else this.#fail(error)
  }

  // What the pool, the upload and the registry of streams call.

  checkSilence(sweep: number): void {
    const limitMs = this.#silenceLimitMs()
    if (limitMs === 0 || (sweep - this.#movedAtSweep) * sweepMs < limitMs) return
    if (this.#phase === 'waiting' && !this.#isBrowserLate()) this.#fail(new GatewayError('upstream_timeout'))
    else this.#cut('silent')
  }

  mayPass(totalBytes: number): boolean {
    const { config, pool } = this.#context.route
    this.#movedAtSweep = pool.sweep
    if (totalBytes <= config.bodyLimitBytes) return true
    this.#fail(new GatewayError('payload_too_large'))
    return false
  }

  endSession(): void {
    this.goAway()
  }

  /** The stream ends in order: browsers connect again by themselves, and learn then what became of the session. */
  goAway(): void {
    this.#settle('ended')
    this.#abort?.()
    this.#response.end()
  }

  terminate(): void {
    this.#response.destroy()
  }

  // The answer.

  #begin(answer: Answer): void {
    const { route, openStreams } = this.#context
    const head = route.responseHeaders(answer.status, answer.rawHeaders, this.#admission.target)
    if (head.redirectRefused) {
      this.#fail(new GatewayError('upstream_redirect_refused'))
      return
    }
    this.#response.writeHead(answer.status, answer.statusText, head.headers)
    this.#reply.hijack()
    this.#phase = 'streaming'
    this.#resume = answer.resume
    this.#remainingBytes = head.contentLength
    this.#isEventStream = head.isEventStream
    if (head.isEventStream) openStreams.add(this)
    // What came together with the head goes out with it; without such the head goes alone, at once.
    process.nextTick(flushHead, this)
  }

  flushIfSilent(): void {
    if (!this.#hasWritten && !this.#response.writableEnded) this.#response.flushHeaders()
  }

  #drained(): void {
    if (this.#phase !== 'streaming') return
    this.#movedAtSweep = this.#context.route.pool.sweep
    this.#resume?.()
  }

  #browserClosed(): void {
    if (this.#phase === 'settled' || this.#response.writableFinished) return
    this.#settle('browser_gone')
    this.#abort?.()
  }

  // An upstream that does not accept the token.

  /** Whether a 401 is not simply passed on: it asks for a stronger login, or another token may cure it. */
  #isTakenOver(answer: Answer, rejected: AccessToken): boolean {
    const challenge = bearerChallengeOf(answer.rawHeaders)
    if (challenge?.error === 'insufficient_user_authentication') {
      this.#fail(stepUpRequired(challenge, answer.rawHeaders, this.#context.authPrefix))
      return true
    }
    const { audience } = this.#context.route
    if (challenge?.error !== 'invalid_token' || audience === undefined) return false
    if (this.#wasCured || !this.#isRepeatable()) return false
    this.#phase = 'held'
    void this.#cure(answer, rejected, audience)
    return true
  }

  async #cure(answer: Answer, rejected: AccessToken, audience: ApiAudience): Promise<void> {
    const { accessTokens } = this.#context
    const { sessionId, session } = this
    if (sessionId === undefined || session === undefined) return
    try {
      const token = await accessTokens.cure(sessionId, session, audience, rejected)
      if (this.#phase !== 'held') return
      if (token === undefined) this.#release(answer)
      else this.#sendAgain(token)
    } catch (error) {
      this.#fail(error)
    }
  }

  #release(answer: Answer): void {
    this.#begin(answer)
    if (this.#phase !== 'streaming') return
    if (this.#isHeldComplete) this.onComplete()
    else answer.resume()
  }

  #sendAgain(token: AccessToken): void {
    this.#isReplacing = true
    this.#abort?.()
    this.#isReplacing = false
    this.#wasCured = true
    this.#isHeldComplete = false
    this.#token = token
    this.#send()
  }

  #isRepeatable(): boolean {
    return this.#upload === undefined && idempotentMethods.has(this.#request.method)
  }

  // Silence and the end.

  /** Longest silence that is borne now, milliseconds; 0: any. */
  #silenceLimitMs(): number {
    const { config } = this.#context.route
    if (this.#phase === 'held' || this.#phase === 'settled') return 0
    if (this.#phase === 'waiting' && !this.#isBrowserLate()) return config.firstByteTimeoutMs
    return this.#isEventStream ? (config.streamIdleTimeoutMs ?? 0) : config.idleTimeoutMs
  }

  /** The next move is the browser's: its body is not complete, and the upstream would take more. */
  #isBrowserLate(): boolean {
    return this.#upload !== undefined && !this.#upload.isEnded && !this.#upload.isPaused
  }

  #settle(outcome: string): void {
    const { route, metrics, openStreams } = this.#context
    this.#phase = 'settled'
    route.pool.leave(this)
    if (this.#isEventStream) openStreams.remove(this)
    metrics.upstream(route.config.prefix, outcome, (performance.now() - this.#startedAtMs) / 1_000)
  }

  #fail(error: unknown): void {
    const phase = this.#phase
    if (phase === 'settled') return
    if (phase === 'streaming') {
      this.#cut(reasonOf(error))
      return
    }
    const problem = toUpstreamError(error, this.#context.route.config.prefix)
    this.#settle(problem.code)
    this.#abort?.()
    if (this.#response.destroyed) return
    this.#reply.send(problem)
    if (this.#upload !== undefined) linger(this.#request.raw)
  }

  /** What began cannot be taken back: the cut connection tells the browser that the answer is not whole. */
  #cut(reason: string): void {
    this.#settle('cut')
    this.#request.log.warn({ reason, route: this.#context.route.config.prefix }, 'proxied answer cut short')
    this.#abort?.()
    this.#response.destroy()
  }
}

function flushHead(exchange: Exchange): void {
  exchange.flushIfSilent()
}

/** Whether a body follows the head (RFC 9112 section 6.3). */
function hasBody({ headers }: FastifyRequest): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}
