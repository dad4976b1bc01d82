import type { ExchangeContext } from './exchange-context.ts'
import type { ProxiedRequest } from './proxied-request.ts'

/** Measures one proxied request, and says when its answer broke off. */
export class ExchangeReport {
  readonly #context: ExchangeContext
  readonly #request: ProxiedRequest
  readonly #startedAtMs = performance.now()
  /** When the head of the answer was there; 0 until then. */
  #answeredAtMs = 0

  constructor(context: ExchangeContext, request: ProxiedRequest) {
    this.#context = context
    this.#request = request
  }

  answered(): void {
    this.#answeredAtMs = performance.now()
  }

  settled(outcome: string): void {
    const { route, metrics } = this.#context
    const untilMs = this.#answeredAtMs === 0 ? performance.now() : this.#answeredAtMs
    metrics.upstream(route.config.prefix, outcome, (untilMs - this.#startedAtMs) / 1_000)
    this.#request.span?.endUpstream(route.config.prefix, outcome)
  }

  /** The answer broke off after it had begun. */
  cut(reason: string): void {
    const { route, log } = this.#context
    const facts = { requestId: this.#request.id, reason, route: route.config.prefix }
    log.warn(facts, 'proxied answer cut short')
  }
}
