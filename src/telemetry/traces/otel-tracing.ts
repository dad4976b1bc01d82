import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { formatTraceparent, parseTraceparent } from './trace-context.ts'
import type { RequestSpan, TracedOutcome, TracedRequest, TraceHeaders, Tracing } from './tracing.ts'

/** Methods that may stand in a span's name; others are a client's own invention (OpenTelemetry semantic conventions for HTTP). */
const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

const firstServerStatus = 500

/** Outcomes of a call that are nobody's fault. */
const goodOutcomes = new Set(['ok', 'ended', 'browser_gone'])

/**
 * Traces by OpenTelemetry. Spans are begun by hand where a request enters and leaves, and hold named attributes only: the instrumentation
 * of Fastify would write whole addresses, with the code of `/callback`, and a span for each hook.
 */
export function createOtelTracing(tracer: Tracer, shutdown: () => Promise<void>): Tracing {
  const current = new AsyncLocalStorage<OtelRequestSpan>()
  return {
    begin: (request) => new OtelRequestSpan(tracer, request),
    within: (span, work) => current.run(span as OtelRequestSpan, work),
    beginProviderCall(operation) {
      const parent = current.getStore()
      if (parent === undefined) return undefined
      const span = tracer.startSpan(
        `provider ${operation}`,
        { kind: SpanKind.CLIENT, attributes: { 'coatcheck.provider.operation': operation } },
        parent.context,
      )
      return {
        end(outcome) {
          span.setAttribute('coatcheck.outcome', outcome)
          if (outcome === 'error' || outcome === '5xx') span.setStatus({ code: SpanStatusCode.ERROR })
          span.end()
        },
      }
    },
    close: shutdown,
  }
}

class OtelRequestSpan implements RequestSpan {
  readonly context: Context
  readonly #tracer: Tracer
  readonly #method: string
  readonly #span: Span
  #upstream: Span | undefined

  constructor(tracer: Tracer, request: TracedRequest) {
    this.#tracer = tracer
    this.#method = knownMethods.has(request.method) ? request.method : '_OTHER'
    const attributes = {
      'http.request.method': this.#method,
      'url.path': request.path,
      'coatcheck.request_id': request.requestId,
      ...(request.frontend === undefined ? {} : { 'coatcheck.frontend': request.frontend }),
    }
    const parent = parentContext(request)
    this.#span = tracer.startSpan(this.#method, { kind: SpanKind.SERVER, attributes }, parent)
    this.context = trace.setSpan(parent, this.#span)
  }

  get traceId(): string {
    return this.#span.spanContext().traceId
  }

  beginUpstream(): TraceHeaders {
    this.#upstream?.end()
    const attributes = { 'http.request.method': this.#method }
    this.#upstream = this.#tracer.startSpan(this.#method, { kind: SpanKind.CLIENT, attributes }, this.context)
    const spanContext = this.#upstream.spanContext()
    return {
      traceparent: formatTraceparent(spanContext),
      tracestate: spanContext.traceState?.serialize(),
    }
  }

  endUpstream(route: string, outcome: string): void {
    const span = this.#upstream
    if (span === undefined) return
    this.#upstream = undefined
    span.setAttributes({ 'coatcheck.route': route, 'coatcheck.outcome': outcome })
    if (!goodOutcomes.has(outcome)) span.setStatus({ code: SpanStatusCode.ERROR })
    span.end()
  }

  end({ route, status, sessionRef, userRef }: TracedOutcome): void {
    this.#upstream?.end()
    this.#span.updateName(`${this.#method} ${route}`)
    this.#span.setAttributes({ 'http.route': route, 'http.response.status_code': status })
    if (sessionRef !== undefined) this.#span.setAttribute('coatcheck.session_ref', sessionRef)
    if (userRef !== undefined) this.#span.setAttribute('coatcheck.user_ref', userRef)
    if (status >= firstServerStatus) this.#span.setStatus({ code: SpanStatusCode.ERROR })
    this.#span.end()
  }
}

function parentContext({ untrustedTraceparent, untrustedTracestate }: TracedRequest): Context {
  const parent = untrustedTraceparent === undefined ? undefined : parseTraceparent(untrustedTraceparent)
  if (parent === undefined) return ROOT_CONTEXT
  const traceState = untrustedTracestate === undefined ? undefined : createTraceState(untrustedTracestate)
  return trace.setSpanContext(ROOT_CONTEXT, {
    ...parent,
    isRemote: true,
    ...(traceState === undefined ? {} : { traceState }),
  })
}
