/** Headers that hand a trace on (W3C Trace Context). */
export interface TraceHeaders {
  readonly traceparent: string
  readonly tracestate: string | undefined
}

/** What begins the span of a request. */
export interface TracedRequest {
  readonly requestId: string
  /** Whose request it is, where several frontends share the process. */
  readonly frontend?: string
  readonly method: string
  /** Without its query, which on `/callback` holds a code. */
  readonly path: string
  readonly untrustedTraceparent: string | undefined
  readonly untrustedTracestate: string | undefined
}

/** How a request ended. */
export interface TracedOutcome {
  /** The label of its route. */
  readonly route: string
  readonly status: number
  readonly sessionRef: string | undefined
  readonly userRef: string | undefined
}

/** The span of a request, and of the call to the upstream within it. */
export interface RequestSpan {
  readonly traceId: string
  /** Begins the span of a call to the upstream, also of a repeated one, and yields what is sent along. */
  beginUpstream(): TraceHeaders
  /** @param outcome as in the metrics */
  endUpstream(route: string, outcome: string): void
  end(outcome: TracedOutcome): void
}

/** Traces, as the rest of the gateway sees them. Absent from the telemetry while no endpoint is configured: then nothing is spent. */
export interface Tracing {
  /** Joins the client's trace, or begins one. */
  begin(request: TracedRequest): RequestSpan
  /** Runs the rest of a request so that requests to the provider made for it become part of its trace. */
  within(span: RequestSpan, work: () => void): void
  /** Begins the span of a request to the provider, within whatever request it is made for; `undefined`: for none. */
  beginProviderCall(operation: string): { end(outcome: string): void } | undefined
  /** Sends what is left, for a few seconds at most. */
  close(): Promise<void>
}
