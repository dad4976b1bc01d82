import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A span as it was received. */
export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly traceState: string
  readonly name: string
  /** 2: server, 3: client. */
  readonly kind: number
  readonly attributes: Readonly<Record<string, string | number | boolean>>
  /** 2: error. */
  readonly statusCode: number
}

/** An OpenTelemetry collector, as far as the tests need one: OTLP over HTTP, in protobuf. */
export interface OtlpReceiver {
  readonly url: string
  readonly spans: readonly ReceivedSpan[]
  /** Bodies as they came. */
  readonly bodies: readonly Buffer[]
  readonly requests: readonly { readonly path: string; readonly headers: IncomingHttpHeaders }[]
  stop(): Promise<void>
}

/** Starts the receiver on a free port. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = []
  const bodies: Buffer[] = []
  const requests: { path: string; headers: IncomingHttpHeaders }[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.once('end', () => {
      const body = Buffer.concat(chunks)
      requests.push({ path: request.url ?? '', headers: request.headers })
      bodies.push(body)
      spans.push(...readSpans(body))
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    bodies,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Fields of a message of Protocol Buffers, by number; numbers stay bytes where they are fixed. */
type Fields = ReadonlyMap<number, readonly (Buffer | number)[]>

/** The three wire types that these messages use: varint, 64 bits, and bytes. */
function readFields(message: Buffer): Fields {
  const fields = new Map<number, (Buffer | number)[]>()
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++] ?? 0
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
  }
  const bytes = (length: number): Buffer => {
    at += length
    return message.subarray(at - length, at)
  }
  while (at < message.length) {
    const tag = varint()
    const value = readValue(tag & 7, varint, bytes)
    fields.set(tag >>> 3, [...(fields.get(tag >>> 3) ?? []), value])
  }
  return fields
}

function readValue(
  wireType: number,
  varint: () => number,
  bytes: (length: number) => Buffer,
): Buffer | number {
  if (wireType === 0) return varint()
  if (wireType === 1) return bytes(8)
  if (wireType === 2) return bytes(varint())
  if (wireType === 5) return bytes(4)
  throw new Error(`not a message of OTLP: wire type ${wireType}`)
}

function messages(fields: Fields, number: number): readonly Buffer[] {
  return (fields.get(number) ?? []).filter((value) => Buffer.isBuffer(value))
}

function text(fields: Fields, number: number, encoding: 'utf8' | 'hex' = 'utf8'): string {
  return messages(fields, number)[0]?.toString(encoding) ?? ''
}

function integer(fields: Fields, number: number): number {
  const [value] = fields.get(number) ?? []
  return typeof value === 'number' ? value : 0
}

/** Request → resource_spans (1) → scope_spans (2) → spans (2). */
function readSpans(request: Buffer): readonly ReceivedSpan[] {
  return messages(readFields(request), 1)
    .flatMap((resourceSpans) => messages(readFields(resourceSpans), 2))
    .flatMap((scopeSpans) => messages(readFields(scopeSpans), 2))
    .map(readSpan)
}

function readSpan(message: Buffer): ReceivedSpan {
  const span = readFields(message)
  const [status = Buffer.alloc(0)] = messages(span, 15)
  return {
    traceId: text(span, 1, 'hex'),
    spanId: text(span, 2, 'hex'),
    traceState: text(span, 3),
    parentSpanId: text(span, 4, 'hex'),
    name: text(span, 5),
    kind: integer(span, 6),
    attributes: Object.fromEntries(messages(span, 9).map(readAttribute)),
    statusCode: integer(readFields(status), 3),
  }
}

function readAttribute(message: Buffer): [string, string | number | boolean] {
  const pair = readFields(message)
  const value = readFields(messages(pair, 2)[0] ?? Buffer.alloc(0))
  if (value.has(1)) return [text(pair, 1), text(value, 1)]
  if (value.has(2)) return [text(pair, 1), integer(value, 2) === 1]
  return [text(pair, 1), integer(value, 3)]
}
