import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../../support/api/otlp-receiver.ts'
import { freePort } from '../../support/ports.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'

const server = 2
const client = 3
const errorStatus = 2

const newTrace = (flags: '00' | '01') => {
  const traceId = randomBytes(16).toString('hex')
  const spanId = randomBytes(8).toString('hex')
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` }
}

describe('with an OTLP endpoint', () => {
  let world: World
  let receiver: OtlpReceiver
  const browsers = { sampled: newTrace('01'), unsampled: newTrace('00'), refreshing: newTrace('01') }

  beforeAll(async () => {
    receiver = await startOtlpReceiver()
    world = await startWorld({
      settings: {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_EXPORTER_OTLP_HEADERS: 'x-receiver-key=key%20of%20the%20receiver',
        OTEL_SERVICE_NAME: 'gateway-of-the-tests',
      },
    })
    const [expired] = await world.signInExpired(1)
    await expired
      ?.tab()
      .fetch('/api/refreshed', { headers: { traceparent: browsers.refreshing.traceparent } })
    const tab = await world.signIn()
    const { traceparent } = browsers.sampled
    await tab.fetch('/api/orders?secret=in-the-query', { headers: { traceparent, tracestate: 'vendor=1' } })
    await tab.fetch('/api/unsampled', { headers: { traceparent: browsers.unsampled.traceparent } })
    await tab.fetch('/api/begun-here')
    await world.api.stop()
    await tab.fetch('/api/unreachable')
    // Its last spans are sent before it ends.
    expect(await world.gateways[0]?.stop()).toBe(0)
    for (const [at, body] of receiver.bodies.entries()) world.collected.set(`traces ${at}`, body)
  })
  afterAll(async () => {
    await world?.stop()
    await receiver?.stop()
  })

  const spansOf = (traceId: string) => receiver.spans.filter((span) => span.traceId === traceId)
  const apiRequest = (target: string) =>
    world.api.requests.find((request) => request.target.startsWith(target))?.headers ?? {}
  const spanAt = (path: string, kind = server) =>
    receiver.spans.find((span) => span.kind === kind && span.attributes['url.path'] === path)

  test('a trace of one call joins the browser’s header, our spans and the upstream’s header', () => {
    const { traceId, spanId } = browsers.sampled
    const ours = spansOf(traceId)
    const atServer = ours.find(({ kind }) => kind === server)
    const toUpstream = ours.find(({ kind }) => kind === client)
    expect(atServer).toMatchObject({
      name: 'GET /api',
      parentSpanId: spanId,
      traceState: 'vendor=1',
      attributes: {
        'http.request.method': 'GET',
        'http.route': '/api',
        'http.response.status_code': 200,
        'url.path': '/api/orders',
      },
    })
    expect(toUpstream).toMatchObject({
      parentSpanId: atServer?.spanId,
      attributes: { 'coatcheck.route': '/api', 'coatcheck.outcome': 'ok' },
    })
    expect(apiRequest('/orders')).toMatchObject({
      traceparent: `00-${traceId}-${toUpstream?.spanId}-01`,
      tracestate: 'vendor=1',
    })
  })

  test('the log line of a request names its trace, and the span its session as the log does', () => {
    const line = world.gateways[0]?.log().find(({ path, msg }) => msg === 'request' && path === '/api/orders')
    expect(line).toMatchObject({ traceId: browsers.sampled.traceId })
    expect(line?.sessionRef).toMatch(/^[\w-]{16}$/)
    expect(spanAt('/api/orders')?.attributes).toMatchObject({
      'coatcheck.session_ref': line?.sessionRef,
      'coatcheck.user_ref': line?.userRef,
      'coatcheck.request_id': line?.requestId,
    })
  })

  test('a refresh that a call waits for is part of its trace', () => {
    const ours = spansOf(browsers.refreshing.traceId)
    const atServer = ours.find(({ kind }) => kind === server)
    expect(ours.find(({ name }) => name === 'provider token')).toMatchObject({
      kind: client,
      parentSpanId: atServer?.spanId,
      attributes: { 'coatcheck.outcome': '2xx' },
    })
  })

  test('a caller that records nothing is believed, and the upstream is told so', () => {
    expect(spansOf(browsers.unsampled.traceId)).toEqual([])
    expect(String(apiRequest('/unsampled').traceparent)).toMatch(
      new RegExp(`^00-${browsers.unsampled.traceId}-[0-9a-f]{16}-00$`),
    )
  })

  test('a trace begins here when nobody began one', () => {
    const begun = spanAt('/api/begun-here')
    expect(begun?.parentSpanId).toBe('')
    expect(String(apiRequest('/begun-here').traceparent)).toContain(`00-${begun?.traceId}-`)
  })

  test('failures are errors, in both spans', () => {
    const atServer = spanAt('/api/unreachable') as ReceivedSpan
    expect(atServer.statusCode).toBe(errorStatus)
    expect(spansOf(atServer.traceId).find(({ kind }) => kind === client)).toMatchObject({
      statusCode: errorStatus,
      attributes: { 'coatcheck.outcome': 'upstream_unreachable' },
    })
  })

  test('no span holds a query: /callback’s would hold a code', () => {
    expect(receiver.spans.filter(({ name }) => name === 'GET /callback')).toHaveLength(2)
    const texts = receiver.spans.flatMap(({ name, attributes }) => [
      name,
      ...Object.values(attributes).map(String),
    ])
    expect(texts.filter((text) => text.includes('?') || text.includes('secret'))).toEqual([])
  })

  test('probes are not traced', () => {
    expect(world.gateways[0]?.log().some(({ path }) => path === '/readyz')).toBe(true)
    expect(receiver.spans.filter(({ name }) => name.includes('readyz'))).toEqual([])
  })

  test('the receiver is addressed as OpenTelemetry says', () => {
    expect(receiver.requests.length).toBeGreaterThan(0)
    for (const { path, headers } of receiver.requests) {
      expect(path).toBe('/v1/traces')
      expect(headers['content-type']).toBe('application/x-protobuf')
      expect(headers['x-receiver-key']).toBe('key of the receiver')
    }
    expect(receiver.bodies.some((body) => body.includes('gateway-of-the-tests'))).toBe(true)
  })
})

test('a receiver that is down disturbs nobody, not even the end', async () => {
  const world = await startWorld({
    settings: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await freePort()}`, SHUTDOWN_GRACE: '10' },
  })
  try {
    const tab = await world.signIn()
    expect((await tab.fetch('/api/orders')).status).toBe(200)
    expect(await world.gateways[0]?.stop()).toBe(0)
    expect(world.gateways[0]?.output()).toContain('traces cannot be sent')
  } finally {
    await world.stop()
  }
})
