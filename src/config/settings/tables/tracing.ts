import { upstreamUrl } from '../kinds/address.ts'
import { fraction, headerList, text } from '../kinds/values.ts'
import { optional, withDefault } from '../setting.ts'

/** Names and meaning are OpenTelemetry's; its exporter reads its other `OTEL_EXPORTER_OTLP_…` variables by itself. */
export const tracingSettings = {
  title: 'Tracing',
  intro:
    'Off unless an endpoint is set. A trace joins the `traceparent` of the request, and the upstream is handed ours. No query, cookie, header or token is ever part of a span.',
  rows: {
    OTEL_EXPORTER_OTLP_ENDPOINT: optional(upstreamUrl, {
      scope: 'process',
      doc: 'The OTLP receiver (HTTP, protobuf) that traces are sent to, at `/v1/traces` beneath this address.',
      example: 'http://localhost:4318',
      mistakenFor: ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'],
    }),
    OTEL_EXPORTER_OTLP_HEADERS: optional(headerList, {
      scope: 'process',
      doc: 'Headers for the receiver, such as its key: `name=value`, separated by commas, percent-encoded.',
      example: 'api-key=the-key-of-the-receiver',
      secret: true,
    }),
    OTEL_SERVICE_NAME: withDefault(text, 'coatcheck', {
      scope: 'process',
      doc: 'The name of this service in traces.',
      example: 'shop-gateway',
    }),
    OTEL_TRACES_SAMPLER_ARG: withDefault(fraction, '1', {
      scope: 'process',
      doc: 'The part of the traces that begin here which is recorded, from 0 to 1. A trace that the caller began is recorded if the caller says so.',
      example: '0.1',
    }),
  },
} as const
