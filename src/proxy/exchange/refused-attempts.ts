import { GatewayError } from '../../errors/gateway-error.ts'
import type { AccessToken } from '../../oidc/tokens/token-set.ts'
import type { SessionView } from '../../session/record/session.ts'
import { judgeRefusal } from '../headers/step-up.ts'
import { isRepeatable } from '../upstream/upstream-request.ts'
import type { Attempt } from './attempt.ts'
import { type Answer, type ExchangeContext, type ExchangeRequest, headOnly } from './exchange-context.ts'
import { isProved, nonceWanted } from './possession.ts'
import type { Upload } from './upload.ts'

/** An exchange whose token the API has refused, as far as deciding about that needs it. */
export interface RefusedExchange {
  /** What it was asked to carry, and the session as it was last seen. */
  readonly asked: ExchangeRequest
  readonly session: () => SessionView | undefined
  readonly upload: Upload | undefined
  readonly attempt: Attempt
  /** The answer waits from now on, until it is passed on or the request is sent again. */
  readonly hold: () => void
  /** Whether it waits still: its browser may have left. */
  readonly isHeld: () => boolean
  /** Passes the answer on to the browser. */
  readonly pass: (answer: Answer, isEnded: boolean) => void
  /** Sends the request again: its whole body, if it has one, with another token where one is given. */
  readonly sendAgain: (body: Buffer | undefined, token?: AccessToken) => void
  readonly fail: (error: unknown) => void
}

/**
 * What is done about the 401s of an API in one exchange: another token may cure one, once; a nonce that the API wants in its proof is given
 * to it, once. Made at the first of them, because most exchanges have none.
 */
export class RefusedAttempts {
  readonly #context: ExchangeContext
  readonly #exchange: RefusedExchange
  #wasCured = false
  /** The API has asked for its newest nonce in the proof; it may once. */
  #wasAskedForNonce = false
  /** What is left of the answer that did concerns nobody; at its end the request is sent again, on the same connection. */
  isDraining = false
  /** What became of an answer that is held: of one whose upstream has gone only the head is left. */
  #held: 'coming' | 'complete' | 'broken' = 'coming'

  constructor(context: ExchangeContext, exchange: RefusedExchange) {
    this.#context = context
    this.#exchange = exchange
  }

  /** Whether a 401 is not simply passed on: it asks for a stronger login, or another token may cure it. */
  takesOver(answer: Answer, rejected: AccessToken): boolean {
    const { asked, upload, hold, fail } = this.#exchange
    const session = this.#exchange.session()
    const judgement = judgeRefusal(answer.rawHeaders, this.#context, session, rejected)
    if (judgement instanceof GatewayError) {
      fail(judgement)
      return true
    }
    if (judgement === 'nonce' && rejected.boundTo !== undefined && isProved(session)) {
      this.#askedForNonce()
      return true
    }
    if (judgement !== 'curable' || this.#wasCured || !isRepeatable(asked.request, upload)) return false
    hold()
    void this.#cure(answer, rejected)
    return true
  }

  /** The upstream's side of an answer has ended. Returns whether that concerns a refusal. */
  upstreamEnded(how: 'complete' | 'broken'): boolean {
    if (this.isDraining) {
      void this.#proveAgain()
      return true
    }
    const isHeld = this.#exchange.isHeld()
    if (isHeld) this.#held = how
    return isHeld
  }

  async #cure(answer: Answer, rejected: AccessToken): Promise<void> {
    const { asked, attempt, isHeld, sendAgain, fail } = this.#exchange
    try {
      const token = await this.#context.access.renew(asked.admission, rejected)
      if (!isHeld()) return
      if (token === undefined) {
        this.#release(answer)
        return
      }
      attempt.replace()
      this.#wasCured = true
      this.#held = 'coming'
      // What may be repeated has no body.
      sendAgain(undefined, token)
    } catch (error) {
      fail(error)
    }
  }

  #release(answer: Answer): void {
    const { pass } = this.#exchange
    pass(this.#held === 'broken' ? headOnly(answer) : answer, this.#held !== 'coming')
  }

  #askedForNonce(): void {
    const { upload, attempt, fail } = this.#exchange
    const isSecond = this.#wasAskedForNonce
    this.#wasAskedForNonce = true
    if (isSecond) fail(nonceWanted(this.#context))
    else if (upload?.isEnded !== false) this.isDraining = true
    else {
      // The API takes no more of the body, so its connection is lost.
      attempt.replace()
      void this.#proveAgain()
    }
  }

  /** With the nonce that has just come: the API has done nothing yet, whatever the method. */
  async #proveAgain(): Promise<void> {
    const { upload, sendAgain, fail } = this.#exchange
    this.isDraining = false
    const body = await upload?.collected()
    if (upload !== undefined && body === undefined) fail(nonceWanted(this.#context))
    else sendAgain(body)
  }
}
