import type { SpanExporter } from '@opentelemetry/sdk-trace'
import type { Logger } from '../telemetry.ts'
import type { Tracing } from './tracing.ts'

/** What the settings say about tracing; the configuration fits. */
export interface TracingOptions {
  /** Where an OTLP/HTTP receiver is; traces go to `/v1/traces` beneath it. `undefined`: no tracing. */
  readonly otelExporterOtlpEndpoint: URL | undefined
  readonly otelExporterOtlpHeaders: Readonly<Record<string, string>> | undefined
  readonly otelServiceName: string
  /** The part of traces without a decision of the caller's that is recorded, 0 to 1. */
  readonly otelTracesSamplerArg: number
}

/** The process does not wait longer for the last spans to be taken, milliseconds. */
const exportTimeoutMs = 3_000

/** Loads the SDK and begins to trace; `undefined` when no endpoint is configured, and then nothing of it is loaded. */
export async function startTracing(options: TracingOptions, log: Logger): Promise<Tracing | undefined> {
  const endpoint = options.otelExporterOtlpEndpoint
  if (endpoint === undefined) return undefined
  const [sdk, { OTLPTraceExporter }, { resourceFromAttributes }, { createOtelTracing }] = await Promise.all([
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-proto'),
    import('@opentelemetry/resources'),
    import('./otel-tracing.ts'),
  ])
  const sender = new OTLPTraceExporter({
    url: `${endpoint.href.replace(/\/$/, '')}/v1/traces`,
    headers: { ...options.otelExporterOtlpHeaders },
    timeoutMillis: exportTimeoutMs,
  })
  const exporter = reportingFailures(sender, log)
  const root = new sdk.TraceIdRatioBasedSampler(options.otelTracesSamplerArg)
  const provider = new sdk.TracerProvider({
    resource: resourceFromAttributes({ 'service.name': options.otelServiceName }),
    sampler: new sdk.ParentBasedSampler({ root }),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter, exportTimeoutMillis: exportTimeoutMs })],
  })
  log.info('traces are sent to the OTLP endpoint')
  return createOtelTracing(provider.getTracer('coatcheck'), () =>
    provider.shutdown().catch((err: unknown) => log.warn({ err }, 'the last traces could not be sent')),
  )
}

/** The SDK keeps silent about a receiver that does not answer; here the first failure of several is a line, and so is their end. */
function reportingFailures(exporter: SpanExporter, log: Logger): SpanExporter {
  let isFailing = false
  return {
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
    export(spans, done) {
      exporter.export(spans, (result) => {
        const hasFailed = result.error !== undefined
        if (hasFailed && !isFailing) log.warn({ reason: result.error?.name }, 'traces cannot be sent')
        if (!hasFailed && isFailing) log.info('traces can be sent again')
        isFailing = hasFailed
        done(result)
      })
    },
  }
}
