import { describe, expect, it } from 'vitest'
import { createPrometheusMetrics, statusClass } from '../../../src/telemetry/measures/prometheus.ts'
import { gatewaySeries, processSeries } from '../../../src/telemetry/measures/series.ts'

describe('Prometheus metrics', () => {
  it('hold every documented series after one of each event', async () => {
    const { metrics, exposition } = createPrometheusMetrics()
    metrics.request('/api', 200, 0.01)
    metrics.upstream('/api', 'ok', 0.01)
    metrics.login('started')
    metrics.callback('completed')
    metrics.refresh('refreshed', 0.1)
    metrics.refreshWait(0.1)
    metrics.logout('browser', 'ended')
    metrics.sessionCache('hit')
    metrics.store('read', true, 0.001)
    metrics.provider('token', 'ok', 0.1)
    metrics.openStreams('websocket', 1)
    metrics.problem('csrf_rejected')
    metrics.openConnections(async () => 3)
    const text = await exposition.text()
    for (const { name, kind, help, labels } of Object.values(gatewaySeries)) {
      expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`)
      const labelled = Object.keys(labels).map((label) => `${label}="[^"]+"`)
      expect(text).toMatch(
        new RegExp(`^${name}(_count)?${labelled.length > 0 ? `{${labelled.join(',')}}` : ''} \\d`, 'm'),
      )
    }
    for (const { name } of processSeries) expect(text).toContain(`# TYPE ${name} `)
    expect(text).toContain('coatcheck_open_connections 3')
  })

  it('put a duration into every bucket that is long enough, its bound included', async () => {
    const { metrics, exposition } = createPrometheusMetrics()
    for (const seconds of [0.0004, 0.01, 0.3, 31]) metrics.request('/api', 200, seconds)
    const bucket = (le: string, count: number) =>
      `coatcheck_request_duration_seconds_bucket{route="/api",status="2xx",le="${le}"} ${count}\n`
    const text = await exposition.text()
    for (const [le, count] of [
      ['0.001', 1],
      ['0.005', 1],
      ['0.01', 2],
      ['0.25', 2],
      ['0.5', 3],
      ['30', 3],
      ['+Inf', 4],
    ] as const) {
      expect(text).toContain(bucket(le, count))
    }
    expect(text).toContain('coatcheck_request_duration_seconds_count{route="/api",status="2xx"} 4\n')
    expect(text).toMatch(/coatcheck_request_duration_seconds_sum\{route="\/api",status="2xx"\} 31\.31/)
  })

  it('begin at zero where the first event matters to an alert', async () => {
    const text = await createPrometheusMetrics().exposition.text()
    expect(text).toContain('coatcheck_callbacks_total{outcome="completed"} 0\n')
    expect(text).toContain('coatcheck_open_streams{kind="sse"} 0\n')
  })

  it('fold every status into one of six classes', () => {
    expect([100, 204, 302, 404, 599, 999, -1].map(statusClass)).toEqual([
      '1xx',
      '2xx',
      '3xx',
      '4xx',
      '5xx',
      '0xx',
      '0xx',
    ])
  })
})
