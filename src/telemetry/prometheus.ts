import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client'
import type { Metrics } from './metrics.ts'

/** Seconds; a gateway's own share is a millisecond or less, an API's anything up to its timeout. */
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

const statusClasses = ['0xx', '1xx', '2xx', '3xx', '4xx', '5xx']

/** The class of a status, such as `2xx`; anything outside HTTP's range counts as `0xx`. */
export function statusClass(status: number): string {
  return statusClasses[Math.floor(status / 100)] ?? '0xx'
}

/**
 * Metrics for Prometheus. Every label value comes from a closed set of ours: route prefixes, outcomes, command names.
 *
 * @param registry where the series are registered; one per process
 */
export function createPrometheusMetrics(registry: Registry): Metrics {
  collectDefaultMetrics({ register: registry, prefix: 'coatcheck_' })
  const series = createSeries(registry)
  return {
    request(route, status, seconds) {
      series.request.observe({ route, status: statusClass(status) }, seconds)
    },
    upstream(route, outcome, seconds) {
      series.upstream.observe({ route, outcome }, seconds)
    },
    login(outcome) {
      series.login.inc({ outcome })
    },
    callback(outcome) {
      series.callback.inc({ outcome })
    },
    refresh(outcome, seconds) {
      series.refresh.observe({ outcome }, seconds)
    },
    refreshWait(seconds) {
      series.refreshWait.observe(seconds)
    },
    logout(kind, outcome) {
      series.logout.inc({ kind, outcome })
    },
    sessionCache(result) {
      series.sessionCache.inc({ result })
    },
    store(command, ok, seconds) {
      series.store.observe({ command, outcome: ok ? 'ok' : 'error' }, seconds)
    },
    provider(operation, outcome, seconds) {
      series.provider.observe({ operation, outcome }, seconds)
    },
    openStreams(kind, delta) {
      series.openStreams.inc({ kind }, delta)
    },
  }
}

function createSeries(registry: Registry) {
  const histogram = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Histogram({
      name: `coatcheck_${name}_seconds`,
      help,
      labelNames: [...labelNames],
      buckets: durationBuckets,
      registers: [registry],
    })
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter({ name: `coatcheck_${name}_total`, help, labelNames: [...labelNames], registers: [registry] })
  return {
    request: histogram('request_duration', 'Requests answered, by route and status class', [
      'route',
      'status',
    ]),
    upstream: histogram('upstream_duration', 'Time until an upstream answered', ['route', 'outcome']),
    login: counter('logins', 'Logins started', ['outcome']),
    callback: counter('callbacks', 'Logins completed or refused', ['outcome']),
    refresh: histogram('refresh_duration', 'Refresh grants', ['outcome']),
    refreshWait: histogram('refresh_wait', 'Time that requests waited for a refresh', []),
    logout: counter('logouts', 'Sessions ended by a logout', ['kind', 'outcome']),
    sessionCache: counter('session_cache', 'Session lookups by cache result', ['result']),
    store: histogram('store_duration', 'Commands of the session store', ['command', 'outcome']),
    provider: histogram('provider_duration', 'Requests to the identity provider', ['operation', 'outcome']),
    openStreams: new Gauge({
      name: 'coatcheck_open_streams',
      help: 'Open WebSockets and event streams',
      labelNames: ['kind'],
      registers: [registry],
    }),
  }
}
