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
  /** The same series for one of several frontends, its name in the label `frontend`; what it has counted stays when it is asked again. */
  ofFrontend(name: string): Metrics
}

/**
 * Metrics for Prometheus, and the way to read them. Every label value comes from a closed set of ours.
 *
 * @param hasFrontends several share the process: what each of them does is counted by {@link Exposition.ofFrontend} alone
 */
export function createPrometheusMetrics(hasFrontends = false): {
  readonly metrics: Metrics
  readonly exposition: Exposition
} {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const families = createFamilies(registry)
  const frontends = new Map<string, Metrics>()
  const ofFrontend = (frontend: string): Metrics => {
    const metrics = frontends.get(frontend) ?? begin(metricsOf(families, { frontend }))
    frontends.set(frontend, metrics)
    return metrics
  }
  const metrics = metricsOf(families, {})
  return {
    metrics: hasFrontends ? metrics : begin(metrics),
    exposition: {
      text: () => registry.metrics(),
      // The library's type has a number for the kind of a series, where its registry writes text.
      snapshot: async () => (await registry.getMetricsAsJSON()) as unknown as readonly SeriesSnapshot[],
      ofFrontend,
    },
  }
}

function createFamilies(registry: Registry) {
  const counters = (series: Series) => new Family(registry, series, () => new Counter())
  const durations = (series: Series) => new Family(registry, series, () => new Durations())
  return {
    registry,
    request: durations(gatewaySeries.request),
    problem: counters(gatewaySeries.problem),
    upstream: durations(gatewaySeries.upstream),
    login: counters(gatewaySeries.login),
    callback: counters(gatewaySeries.callback),
    refresh: durations(gatewaySeries.refresh),
    refreshWait: durations(gatewaySeries.refreshWait),
    logout: counters(gatewaySeries.logout),
    sessionLookup: counters(gatewaySeries.sessionLookup),
    store: durations(gatewaySeries.store),
    provider: durations(gatewaySeries.provider),
    openStreams: counters(gatewaySeries.openStreams),
  }
}

interface BeginningMetrics extends Metrics {
  /** Begins at zero what is known beforehand: a rate over a first event would otherwise miss it. */
  beginAtZero(): void
}

function begin(metrics: BeginningMetrics): Metrics {
  metrics.beginAtZero()
  return metrics
}

function metricsOf(
  families: ReturnType<typeof createFamilies>,
  labels: Readonly<Record<string, string>>,
): BeginningMetrics {
  const request = families.request.join(labels)
  const problem = families.problem.join(labels)
  const upstream = families.upstream.join(labels)
  const login = families.login.join(labels)
  const callback = families.callback.join(labels)
  const refresh = families.refresh.join(labels)
  const refreshWait = families.refreshWait.join(labels)
  const logout = families.logout.join(labels)
  const sessionLookup = families.sessionLookup.join(labels)
  const store = families.store.join(labels)
  const provider = families.provider.join(labels)
  const openStreams = families.openStreams.join(labels)
  return {
    beginAtZero() {
      login.of('started')
      callback.of('completed')
      refreshWait.of()
      logout.ofTwo('browser', 'ended')
      for (const result of ['hit', 'miss', 'bypass']) sessionLookup.of(result)
      for (const kind of ['websocket', 'sse']) openStreams.of(kind)
    },
    request: (route, status, seconds) => request.ofTwo(route, statusClass(status)).observe(seconds),
    problem: (code) => problem.of(code).add(),
    upstream: (route, outcome, seconds) => upstream.ofTwo(route, outcome).observe(seconds),
    login: (outcome) => login.of(outcome).add(),
    callback: (outcome) => callback.of(outcome).add(),
    refresh: (outcome, seconds) => refresh.of(outcome).observe(seconds),
    refreshWait: (seconds) => refreshWait.of().observe(seconds),
    logout: (kind, outcome) => logout.ofTwo(kind, outcome).add(),
    sessionCache: (result) => sessionLookup.of(result).add(),
    store: (operation, ok, seconds) => store.ofTwo(operation, ok ? 'ok' : 'error').observe(seconds),
    provider: (operation, outcome, seconds) => provider.ofTwo(operation, outcome).observe(seconds),
    openStreams: (kind, delta) => openStreams.of(kind).add(delta),
    openConnections: (count) =>
      register(families.registry, gatewaySeries.openConnections, async () => [
        { labels: {}, value: await count() },
      ]),
  }
}
