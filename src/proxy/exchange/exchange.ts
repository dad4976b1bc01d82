import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Admission } from '../../access/admission.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import { hasBody, linger } from '../../http/lifetime/linger.ts'
import type { AccessToken, ApiAudience } from '../../oidc/tokens/token-set.ts'
import type { SessionView } from '../../session/record/session.ts'
import { judgeRefusal } from '../headers/step-up.ts'
import { reasonOf, toUpstreamError } from '../upstream/upstream-errors.ts'
import { sweepMs } from '../upstream/upstream-pool.ts'
import { isRepeatable, upstreamRequest } from '../upstream/upstream-request.ts'
import { AnswerWriter } from './answer-writer.ts'
import { type Answer, type ExchangeContext, headOnly } from './exchange-context.ts'
import { isAnswering, isBrowserLate, type Phase, silenceLimitMs } from './exchange-phase.ts'
import { ExchangeReport } from './exchange-report.ts'
import type { InFlight } from './in-flight.ts'
import { goodbyeMs, type OpenStream } from './open-streams.ts'
import { Upload, type UploadObserver } from './upload.ts'

/**
 * One proxied request: sent through undici's `dispatch`, its answer written to the browser chunk by chunk as it comes, without
 * a stream in between. Until the answer's head is written a failure goes the usual way through the reply; afterwards there is
 * nothing to say but to cut the connection.
 */
export class Exchange implements InFlight, UploadObserver, OpenStream {
  readonly kind = 'sse'
  place = -1
  readonly sessionId: string | undefined
  readonly session: SessionView | undefined
  readonly #context: ExchangeContext
  readonly #request: FastifyRequest
  readonly #reply: FastifyReply
  readonly #target: string
  readonly #answer: AnswerWriter
  readonly #upload: Upload | undefined
  readonly #report: ExchangeReport
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
  /** The upstream has gone while its answer was held: of that only the head is left. */
  #isHeldBroken = false
  /** The sweep at which something last moved, in either direction. */
  #movedAtSweep = 0

  constructor(context: ExchangeContext, request: FastifyRequest, reply: FastifyReply, admission: Admission) {
    this.#context = context
    this.#request = request
    this.#reply = reply
    this.#report = new ExchangeReport(context, request)
    this.#answer = new AnswerWriter(reply)
    this.#upload = hasBody(request.raw) ? new Upload(request.raw, this) : undefined
    this.#target = admission.target
    this.#token = admission.token
    this.sessionId = admission.sessionId
    this.session = admission.session
  }

  start(): void {
    const { pool, config } = this.#context.route
    if (!pool.enter(this)) {
      this.#phase = 'settled'
      this.#reply.send(new GatewayError('overloaded', { context: { route: config.prefix } }))
      return
    }
    this.#reply.raw.once('close', () => this.#browserClosed())
    this.#send()
  }

  #send(): void {
    const { pool, requestHeaders } = this.#context.route
    this.#phase = 'waiting'
    this.#abort = undefined
    this.#movedAtSweep = pool.sweep
    const sent = upstreamRequest(this.#request, this.#target, requestHeaders, this.#token, this.#upload)
    pool.dispatch(sent, this)
  }

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
    return this.#answer.write(chunk, this.#whenDrained)
  }

  /** Trailer fields are not passed on: they would escape the header policy (RFC 9110 section 6.5.1 allows to drop them). */
  onComplete(): void {
    if (this.#phase === 'held') this.#isHeldComplete = true
    if (!isAnswering(this.#phase)) return
    this.#settle('ok')
    this.#answer.end()
    linger(this.#request.raw, this.#reply.raw)
  }

  onError(error: Error): void {
    if (this.#isReplacing || this.#phase === 'settled') return
    if (this.#phase === 'held') {
      this.#isHeldBroken = true
      return
    }
    const mayRepeat =
      this.#phase === 'waiting' && !this.#wasRetried && isRepeatable(this.#request, this.#upload)
    if (mayRepeat && this.#context.route.pool.endedUnanswered(error)) {
      this.#wasRetried = true
      this.#send()
    } else this.#fail(error)
  }

  checkSilence(sweep: number): void {
    const limitMs = silenceLimitMs(this.#phase, this.#upload, this.#context.route.config)
    if (limitMs === 0 || (sweep - this.#movedAtSweep) * sweepMs < limitMs) return
    if (this.#phase === 'waiting' && !isBrowserLate(this.#upload))
      this.#fail(new GatewayError('upstream_timeout'))
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
    this.#answer.end()
    setTimeout(() => this.#answer.cut(), goodbyeMs).unref()
  }

  #begin(answer: Answer): void {
    const { route, openStreams } = this.#context
    const head = route.responseHeaders(answer.status, answer.rawHeaders, this.#target)
    if (head.refusal !== undefined) {
      this.#fail(new GatewayError(head.refusal))
      return
    }
    this.#report.answered()
    this.#answer.begin(answer.status, answer.statusText, head)
    this.#resume = answer.resume
    this.#phase = head.isEventStream ? 'listening' : 'streaming'
    if (head.isEventStream) openStreams.add(this)
  }

  readonly #whenDrained = (): void => {
    if (!isAnswering(this.#phase)) return
    this.#movedAtSweep = this.#context.route.pool.sweep
    this.#resume?.()
  }

  #browserClosed(): void {
    if (this.#phase === 'settled' || this.#answer.isFinished) return
    this.#settle('browser_gone')
    this.#abort?.()
  }

  /** Whether a 401 is not simply passed on: it asks for a stronger login, or another token may cure it. */
  #isTakenOver(answer: Answer, rejected: AccessToken): boolean {
    const { authPrefix, route } = this.#context
    const judgement = judgeRefusal(answer.rawHeaders, authPrefix)
    if (judgement instanceof GatewayError) {
      this.#fail(judgement)
      return true
    }
    const { audience } = route
    if (judgement !== 'curable' || audience === undefined || this.#wasCured) return false
    if (!isRepeatable(this.#request, this.#upload)) return false
    this.#phase = 'held'
    void this.#cure(answer, rejected, audience)
    return true
  }

  async #cure(answer: Answer, rejected: AccessToken, audience: ApiAudience): Promise<void> {
    const { sessionId, session } = this
    if (sessionId === undefined || session === undefined) return
    try {
      const token = await this.#context.accessTokens.cure(sessionId, session, audience, rejected)
      if (this.#phase !== 'held') return
      if (token === undefined) this.#release(answer)
      else this.#sendAgain(token)
    } catch (error) {
      this.#fail(error)
    }
  }

  #release(answer: Answer): void {
    this.#begin(this.#isHeldBroken ? headOnly(answer) : answer)
    if (this.#isHeldComplete || this.#isHeldBroken) this.onComplete()
    else if (isAnswering(this.#phase)) answer.resume()
  }

  #sendAgain(token: AccessToken): void {
    this.#isReplacing = true
    this.#abort?.()
    this.#isReplacing = false
    this.#wasCured = true
    this.#isHeldComplete = false
    this.#isHeldBroken = false
    this.#token = token
    this.#send()
  }

  #settle(outcome: string): void {
    const { route, openStreams } = this.#context
    if (this.#phase === 'listening') openStreams.remove(this)
    this.#phase = 'settled'
    route.pool.leave(this)
    this.#report.settled(outcome)
  }

  #fail(error: unknown): void {
    if (this.#phase === 'settled') return
    if (isAnswering(this.#phase) && !this.#answer.isUntouched) {
      this.#cut(reasonOf(error))
      return
    }
    this.#answer.takeBack()
    const problem = toUpstreamError(error, this.#context.route)
    this.#settle(problem.code)
    this.#abort?.()
    if (this.#answer.isUntouched) this.#reply.send(problem)
  }

  /** What began cannot be taken back. */
  #cut(reason: string): void {
    this.#settle('cut')
    const facts = { requestId: this.#request.id, reason, route: this.#context.route.config.prefix }
    this.#request.log.warn(facts, 'proxied answer cut short')
    this.#abort?.()
    this.#answer.cut()
  }
}
