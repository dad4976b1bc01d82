import type { Dispatcher } from 'undici'
import { nowhere } from '../../basics/bag.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import { hasBody } from '../../http/lifetime/body.ts'
import type { LifeEnd, LifeHolder } from '../../http/lifetime/life.ts'
import type { AccessToken } from '../../oidc/tokens/token-set.ts'
import type { SessionView } from '../../session/record/session.ts'
import { type Call, type CallKind, type CallLease, goodbyeMs } from '../calls/in-flight.ts'
import { leaseOf, type RightsHolder } from '../calls/lease.ts'
import { noPlace, reasonOf, toUpstreamError } from '../upstream/upstream-errors.ts'
import { isRepeatable, upstreamRequest } from '../upstream/upstream-request.ts'
import { AnswerWriter } from './answer-writer.ts'
import { Attempt } from './attempt.ts'
import type { Answer, ExchangeContext, ExchangeRequest } from './exchange-context.ts'
import { isAnswering, overdue, type Phase, Silence, silenceLimits } from './exchange-phase.ts'
import { ExchangeReport } from './exchange-report.ts'
import { isProved, learnNonce, proofOf } from './possession.ts'
import { RefusedAttempts } from './refused-attempts.ts'
import { Upload, type UploadObserver } from './upload.ts'

/**
 * One proxied request: sent through undici's `dispatch`, its answer written to the browser chunk by chunk as it comes, without
 * a stream in between. Until the answer's head is written a failure goes the usual way through the reply; afterwards there is
 * nothing to say but to cut the connection.
 */
export class Exchange implements Call, Dispatcher.DispatchHandler, UploadObserver, LifeHolder, RightsHolder {
  kind: CallKind = 'request'
  place = nowhere
  readonly owner: string | undefined
  readonly lease?: CallLease
  readonly sessionId: string | undefined
  session: SessionView | undefined
  provenUntilMs: number | undefined
  readonly #context: ExchangeContext
  readonly #asked: ExchangeRequest
  readonly #answer: AnswerWriter
  readonly #upload: Upload | undefined
  readonly #report: ExchangeReport
  readonly #attempt: Attempt
  #token: AccessToken | undefined
  #phase: Phase = 'waiting'
  #resume: (() => void) | undefined
  /** The body as it comes, or whole: when it came with its head, and when it is sent again. `undefined` until it is handed over, too. */
  #body: Upload | Buffer | undefined
  #refused: RefusedAttempts | undefined
  #demandedNonce: string | undefined
  readonly #silence: Silence

  constructor(context: ExchangeContext, asked: ExchangeRequest) {
    const { request, admission } = asked
    this.#context = context
    this.#asked = asked
    this.#report = new ExchangeReport(context, request)
    this.#answer = new AnswerWriter(request)
    this.#upload = hasBody(request.raw) ? new Upload(request.raw, this) : undefined
    this.#attempt = new Attempt(context.route.pool, this)
    this.#silence = new Silence(context.route.pool)
    this.#token = admission.token
    this.owner = asked.owner
    const lease = leaseOf(context, admission, this)
    if (lease !== undefined) this.lease = lease
    this.sessionId = admission.sessionId
    this.session = admission.session
    this.provenUntilMs = admission.provenUntilMs
  }

  /** @throws GatewayError `rate_limited`, `overloaded`: there is no place for it */
  start(): void {
    const { route } = this.#context
    const refused = route.pool.enter(this)
    if (refused !== undefined) throw noPlace(refused, route.config.prefix)
    this.#asked.request.life.hold(this)
    // The API may change its nonce at any time, and small bodies cost next to nothing to keep.
    if (this.#isProved()) this.#upload?.keep()
    if (this.#upload === undefined) this.#send()
    else {
      this.#upload.gather((body) => {
        this.#body = body
        this.#send()
      })
    }
  }

  #send(): void {
    if (this.#phase === 'settled') return
    const { pool, requestHeaders } = this.#context.route
    this.#phase = 'waiting'
    this.#silence.ends()
    try {
      const { request, admission } = this.#asked
      const proof = proofOf(this.#context, this.#asked, this.#token, this.#demandedNonce)
      const carried = { token: this.#token, proof, body: this.#body }
      const sent = upstreamRequest(request, admission, requestHeaders, carried)
      this.#attempt.begins()
      pool.dispatch(sent, this, this.#context.certificates?.certificateFor(admission.session, this.#token))
    } catch (error) {
      this.#fail(error)
    }
  }

  onConnect(abort: (error?: Error) => void): void {
    this.#attempt.connected(abort)
  }

  onHeaders(status: number, rawHeaders: Buffer[], resume: () => void, statusText: string): boolean {
    if (status < 200 || this.#phase === 'settled') return true
    this.#silence.ends()
    const answer: Answer = { status, rawHeaders, resume, statusText }
    if (this.#isProved()) this.#demandedNonce = learnNonce(this.#context, status, rawHeaders)
    if (status === 401 && this.#token !== undefined) {
      this.#refused ??= this.#whenRefused()
      if (this.#refused.takesOver(answer, this.#token)) return this.#refused.isDraining
    }
    this.#begin(answer)
    return true
  }

  onData(chunk: Buffer): boolean {
    if (this.#phase === 'settled' || this.#refused?.isDraining === true) return true
    const goesOn = this.#answer.write(chunk, this.#whenDrained)
    this.#silence.ends(!goesOn)
    return goesOn
  }

  /** Trailer fields are not passed on: they would escape the header policy (RFC 9110 section 6.5.1 allows to drop them). */
  onComplete(): void {
    this.#attempt.ended()
    this.#refused?.upstreamEnded('complete')
    if (isAnswering(this.#phase)) this.#finish()
  }

  #finish(): void {
    this.#settle('ok')
    this.#answer.end()
  }

  onError(error: Error): void {
    if (!this.#attempt.ended() || this.#phase === 'settled') return
    if (this.#refused?.upstreamEnded('broken') === true) return
    if (isAnswering(this.#phase) && this.#answer.isBodiless) {
      this.#finish()
      return
    }
    if (this.#mayRepeat() && this.#attempt.mayRepeatAfter(error)) this.#send()
    else this.#fail(error)
  }

  #isProved(): boolean {
    return this.#token?.boundTo !== undefined && isProved(this.session)
  }

  #mayRepeat(): boolean {
    return this.#phase === 'waiting' && isRepeatable(this.#asked.request, this.#upload)
  }

  checkSilence(): void {
    if (this.#phase === 'settled') return
    const limits = silenceLimits(this.#context)
    const fault = overdue(this.#phase, this.#upload, limits, this.#silence.lastsMs())
    if (fault === 'silent') this.#cut(fault)
    else if (fault !== undefined) this.#fail(new GatewayError(fault))
  }

  mayPass(totalBytes: number): boolean {
    this.#silence.ends()
    if (totalBytes <= this.#context.route.config.bodyLimitBytes) return true
    this.#fail(new GatewayError('payload_too_large'))
    return false
  }

  lifeEnded(end: LifeEnd): void {
    if (this.#phase !== 'settled' && end !== 'answered') this.#settle('browser_gone')
  }

  endSession(): void {
    if (this.#phase === 'listening') this.goAway()
    else if (isAnswering(this.#phase)) this.#cut('session_ended')
    else this.#fail(new GatewayError('session_expired'))
  }

  endRights(): void {
    this.endSession()
  }

  /** The stream ends in order: browsers connect again by themselves, and learn then what became of the session. */
  goAway(): void {
    if (this.#phase === 'settled') return
    this.#settle('ended')
    this.#answer.takeLeave(goodbyeMs)
  }

  #begin(answer: Answer): void {
    const { route, openCalls } = this.#context
    const head = route.responseHeaders(answer.status, answer.rawHeaders, this.#asked.admission.target)
    if (head.refusal !== undefined) {
      this.#fail(new GatewayError(head.refusal))
      return
    }
    this.#report.answered()
    this.#answer.begin(answer.status, answer.statusText, head)
    this.#resume = answer.resume
    this.#phase = head.isEventStream ? 'listening' : 'streaming'
    if (!head.isEventStream) return
    this.kind = 'sse'
    openCalls.streamOpened(this)
  }

  readonly #whenDrained = (): void => {
    if (!isAnswering(this.#phase)) return
    this.#silence.ends()
    this.#resume?.()
  }

  #whenRefused(): RefusedAttempts {
    return new RefusedAttempts(this.#context, {
      asked: this.#asked,
      session: () => this.session,
      upload: this.#upload,
      attempt: this.#attempt,
      hold: () => {
        this.#phase = 'held'
      },
      isHeld: () => this.#phase === 'held',
      pass: (held, isEnded) => this.#pass(held, isEnded),
      sendAgain: (body, token = this.#token) => {
        this.#token = token
        this.#body = body
        this.#send()
      },
      fail: (error) => this.#fail(error),
    })
  }

  #pass(answer: Answer, isEnded: boolean): void {
    this.#begin(answer)
    if (isEnded) this.onComplete()
    else if (isAnswering(this.#phase)) answer.resume()
  }

  /** Nothing more is done for the browser. The place is given back once the upstream's side has ended, too. */
  #settle(outcome: string): void {
    if (this.#phase === 'listening') this.#context.openCalls.streamClosed(this)
    this.#phase = 'settled'
    this.#report.settled(outcome)
    this.#attempt.giveUp()
    // Once it is handed over it is undici's to let go of.
    if (this.#body === undefined) this.#upload?.destroy()
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
    if (this.#answer.isUntouched) this.#asked.request.refuse(problem)
  }

  /** What began cannot be taken back. */
  #cut(reason: string): void {
    this.#settle('cut')
    this.#report.cut(reason)
    this.#answer.takeBack()
    this.#asked.request.life.cut()
  }
}
