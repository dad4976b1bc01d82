import { Dispatcher, fetch, type RequestInit } from 'undici'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { type AgentOptions, createAgents } from './agents.ts'
import { readBounded } from './bounded-answer.ts'
import { createReuseWatch, type ReuseWatch } from './connection-reuse.ts'
import { failureCode } from './failure-code.ts'
import { createOutageLog } from './outage-log.ts'
import { calledAddress, type ProviderPlace } from './provider-address.ts'

/** The endpoints of a provider that the gateway calls; labels of its metrics and spans. */
export type ProviderEndpoint =
  | 'discovery'
  | 'keys'
  | 'token'
  | 'revocation'
  | 'userinfo'
  | 'pushed_authorization'

/** What is asked for, as openid-client hands it over. */
export interface FetchInit {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body: ArrayBuffer | null | ReadableStream | string | Uint8Array | undefined | URLSearchParams
  readonly redirect: 'manual'
  readonly signal?: AbortSignal
}

/** A `fetch` that is bounded in time and size; it fits openid-client's `customFetch`. */
export type BoundedFetch = (url: string, init: FetchInit) => Promise<Response>

/** What the settings say about the way to the provider. */
export interface ProviderNetworkOptions extends ProviderPlace, AgentOptions {
  /** Deadline of each exchange, body included, seconds. */
  readonly providerTimeout: number
}

/** The one way to the provider: every call goes through it, whoever makes it. */
export interface ProviderNetwork {
  /**
   * A `fetch` for one endpoint: never follows a redirect, never reads more than 1 MiB, ends at the deadline.
   *
   * @param deadlineMs instead of `PROVIDER_TIMEOUT`
   */
  fetch(endpoint: ProviderEndpoint, deadlineMs?: number): BoundedFetch
  /** Idle connections are closed; calls under way end by their own deadline. */
  close(): void
}

/** Creates it. Nothing is connected before the first call. */
export function createProviderNetwork(
  options: ProviderNetworkOptions,
  { log, metrics, tracing }: Pick<Telemetry, 'log' | 'metrics' | 'tracing'>,
): ProviderNetwork {
  const timeoutMs = options.providerTimeout * 1_000
  const outages = createOutageLog(log, () => performance.now())
  const reuse = createReuseWatch()
  const agents = createAgents(options, timeoutMs, reuse)

  async function send(url: string, init: FetchInit, deadlineMs: number): Promise<Response> {
    const called = calledAddress(new URL(url), options)
    const request: Call = {
      agent: agents.of(called.url, called.url.origin === options.providerAddress?.origin),
      url: called.url,
      init: { ...init, headers: { ...init.headers, ...called.headers } },
      signal: AbortSignal.timeout(deadlineMs),
    }
    return readBounded(await sendOnLiveConnection(request, reuse))
  }

  /** Discovery has a log line of its own, and is tried again without anybody asking. */
  function judge(endpoint: ProviderEndpoint, url: string, reason: string | undefined): void {
    if (endpoint === 'discovery') return
    if (reason === undefined) outages.answered(endpoint)
    else outages.failed(endpoint, calledAddress(new URL(url), options).url.host, reason)
  }

  return {
    fetch:
      (endpoint, deadlineMs = timeoutMs) =>
      async (url, init) => {
        const startedAt = performance.now()
        const span = tracing?.beginProviderCall(endpoint)
        const report = (outcome: string, reason?: string): void => {
          metrics.provider(endpoint, outcome, (performance.now() - startedAt) / 1_000)
          span?.end(outcome)
          judge(endpoint, url, reason)
        }
        try {
          const response = await send(url, init, deadlineMs)
          const reason = response.status >= firstServerStatus ? `status_${response.status}` : undefined
          report(`${Math.floor(response.status / 100)}xx`, reason)
          return response
        } catch (error) {
          report('error', failureCode(error) ?? 'network')
          throw error
        }
      },
    close: agents.close,
  }
}

const firstServerStatus = 500

interface Call {
  readonly agent: Dispatcher
  readonly url: URL
  readonly init: FetchInit
  readonly signal: AbortSignal
}

/**
 * A connection that the provider closes just when it is used again has lost nothing but our request: it is sent once more, on another
 * one (RFC 9110 section 9.2.2 leaves that to who knows that nothing was done). Never when one byte of an answer has come, nor on a
 * connection that never carried one.
 */
async function sendOnLiveConnection(call: Call, reuse: ReuseWatch) {
  const seen = { answer: false }
  try {
    return await sendOnce(call, seen)
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined
    if (seen.answer || !reuse.wasReused(cause) || call.init.body instanceof ReadableStream) throw error
    return sendOnce(call, { answer: false })
  }
}

function sendOnce({ agent, url, init, signal }: Call, seen: { answer: boolean }) {
  const dispatcher = new NotingDispatcher(agent, seen)
  // The same body twice: texts and forms are read anew each time.
  const request = { ...init, body: init.body ?? null, redirect: 'manual', signal, dispatcher } as RequestInit
  return fetch(url, request)
}

/** Sends one request, and notes the first byte of its answer. */
class NotingDispatcher extends Dispatcher {
  readonly #agent: Dispatcher
  readonly #seen: { answer: boolean }

  constructor(agent: Dispatcher, seen: { answer: boolean }) {
    super()
    this.#agent = agent
    this.#seen = seen
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const seen = this.#seen
    // undici's `fetch` has a handler of this older form, which keeps state of its own and must stay itself.
    const own: { onResponseStarted?: () => void } = handler
    const began = own.onResponseStarted
    own.onResponseStarted = () => {
      seen.answer = true
      began?.call(handler)
    }
    return this.#agent.dispatch(options, handler)
  }
}
