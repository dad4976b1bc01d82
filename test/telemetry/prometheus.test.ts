import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { createPrometheusMetrics, statusClass } from '../../src/telemetry/prometheus.ts'

describe('Prometheus metrics', () => {
  it('hold every documented series after one of each event', async () => {
    const registry = new Registry()
    const metrics = createPrometheusMetrics(registry)
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
    const text = await registry.metrics()
    expect(text).toContain('coatcheck_request_duration_seconds_count{route="/api",status="2xx"} 1')
    expect(text).toContain('coatcheck_store_duration_seconds_count{command="read",outcome="ok"} 1')
    expect(text).toContain('coatcheck_open_streams{kind="websocket"} 1')
    for (const name of [
      'upstream_duration',
      'logins',
      'callbacks',
      'refresh_duration',
      'refresh_wait',
      'logouts',
      'session_cache',
      'provider_duration',
    ])
      expect(text).toMatch(new RegExp(`^coatcheck_${name}_(seconds_count|total)[ {]`, 'm'))
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
