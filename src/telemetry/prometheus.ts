import { collectDefaultMetrics, Registry } from 'prom-client'
import { Counter, Durations, Family, register, type Sample } from './instruments.ts'
import type { Metrics } from './metrics.ts'
import { gatewaySeries, type Series } from './series.ts'

const statusClasses = ['0xx', '1xx', '2xx', '3xx', '4xx', '5xx']

/** The class of a status, such as `2xx`; anything outside HTTP's range counts as `0xx`. */
export function statusClass(status: number): string {
  return statusClasses[Math.floor(status / 100)] ?? '0xx'
}

/** A series with its samples at one moment, as it travels from a worker to its supervisor. */
export interface SeriesSnapshot {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly aggregator: string
  readonly values: readonly Sample[]
}

/** What is measured in this process, to be read. */
export interface Exposition {
  /** In the text format of Prometheus, version 0.0.4. */
  text(): Promise<string>
  snapshot(): Promise<readonly SeriesSnapshot[]>
}

/** Metrics for Prometheus, and the way to read them. Every label value comes from a closed set of ours. */
export function createPrometheusMetrics(): { readonly metrics: Metrics; readonly exposition: Exposition } {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return {
    metrics: createMetrics(registry),
    exposition: {
      text: () => registry.metrics(),
      snapshot: async () => (await registry.getMetricsAsJSON()) as unknown as readonly SeriesSnapshot[],
    },
  }
}

function createMetrics(registry: Registry): Metrics {
  const counters = (series: Series) => new Family(registry, series, () => new Counter())
  const durations = (series: Series) => new Family(registry, series, () => new Durations())
  const request = durations(gatewaySeries.request)
  const problem = counters(gatewaySeries.problem)
  const upstream = durations(gatewaySeries.upstream)
  const login = counters(gatewaySeries.login)
  const callback = counters(gatewaySeries.callback)
  const refresh = durations(gatewaySeries.refresh)
  const refreshWait = durations(gatewaySeries.refreshWait).of()
  const logout = counters(gatewaySeries.logout)
  const sessionLookup = counters(gatewaySeries.sessionLookup)
  const store = durations(gatewaySeries.store)
  const provider = durations(gatewaySeries.provider)
  const openStreams = counters(gatewaySeries.openStreams)
  // What is known beforehand begins at zero: a rate over a first event would otherwise miss it.
  login.of('started')
  callback.of('completed')
  logout.ofTwo('browser', 'ended')
  for (const result of ['hit', 'miss', 'bypass']) sessionLookup.of(result)
  for (const kind of ['websocket', 'sse']) openStreams.of(kind)
  return {
    request: (route, status, seconds) => request.ofTwo(route, statusClass(status)).observe(seconds),
    problem: (code) => problem.of(code).add(),
    upstream: (route, outcome, seconds) => upstream.ofTwo(route, outcome).observe(seconds),
    login: (outcome) => login.of(outcome).add(),
    callback: (outcome) => callback.of(outcome).add(),
    refresh: (outcome, seconds) => refresh.of(outcome).observe(seconds),
    refreshWait: (seconds) => refreshWait.observe(seconds),
    logout: (kind, outcome) => logout.ofTwo(kind, outcome).add(),
    sessionCache: (result) => sessionLookup.of(result).add(),
    store: (operation, ok, seconds) => store.ofTwo(operation, ok ? 'ok' : 'error').observe(seconds),
    provider: (operation, outcome, seconds) => provider.ofTwo(operation, outcome).observe(seconds),
    openStreams: (kind, delta) => openStreams.of(kind).add(delta),
    openConnections: (count) =>
      register(registry, gatewaySeries.openConnections, async () => [{ labels: {}, value: await count() }]),
  }
}
