/** What is measured and how it is called: the one source of the series, of `docs/metrics.md` and of the checks of dashboards. */
export interface Series {
  readonly name: string
  readonly kind: 'counter' | 'gauge' | 'histogram'
  /** One sentence, also the `# HELP` line. */
  readonly help: string
  /** Name and possible values of each label, in order. Every value comes from a closed set of ours. */
  readonly labels: Readonly<Record<string, string>>
}

const route = 'the prefix of a proxied route, the path of one of the gateway’s own endpoints, or `other`'

/** The gateway’s own series. Seconds everywhere. */
export const gatewaySeries = {
  request: {
    name: 'coatcheck_request_duration_seconds',
    kind: 'histogram',
    help: 'Requests, until their answer was sent.',
    labels: { route, status: '`2xx`, `3xx`, `4xx`, `5xx`' },
  },
  problem: {
    name: 'coatcheck_problems_total',
    kind: 'counter',
    help: 'Requests answered with a problem of the gateway’s own.',
    labels: { code: 'a problem code, as [endpoints](endpoints.md) lists them' },
  },
  upstream: {
    name: 'coatcheck_upstream_duration_seconds',
    kind: 'histogram',
    help: 'Proxied requests, until the head of the upstream’s answer, or the failure.',
    labels: {
      route,
      outcome: '`ok`, `ended` (by us), `browser_gone`, `cut` (failed in the middle), or an error code',
    },
  },
  login: {
    name: 'coatcheck_logins_total',
    kind: 'counter',
    help: 'Logins begun at /login, or refused there.',
    labels: { outcome: '`started` or an error code' },
  },
  callback: {
    name: 'coatcheck_callbacks_total',
    kind: 'counter',
    help: 'Logins that came back to /callback.',
    labels: { outcome: '`completed` or an error code' },
  },
  refresh: {
    name: 'coatcheck_refresh_duration_seconds',
    kind: 'histogram',
    help: 'Refresh grants at the provider.',
    labels: { outcome: '`refreshed`, `unusable`, `refused`, `rejected`, `unavailable`, `invalid`' },
  },
  refreshWait: {
    name: 'coatcheck_refresh_wait_seconds',
    kind: 'histogram',
    help: 'Time that requests waited because their access token was no longer usable.',
    labels: {},
  },
  logout: {
    name: 'coatcheck_logouts_total',
    kind: 'counter',
    help: 'Logouts, by the way they came.',
    labels: {
      kind: '`browser`, `backchannel`, `frontchannel`',
      outcome: '`ended`, `no_session`, `unknown`, `replayed`, `invalid`, `failed`',
    },
  },
  sessionLookup: {
    name: 'coatcheck_session_lookups_total',
    kind: 'counter',
    help: 'Sessions looked up for proxied requests.',
    labels: { result: '`hit` (cached here), `miss` (read from the store), `bypass` (cache off or in doubt)' },
  },
  store: {
    name: 'coatcheck_store_duration_seconds',
    kind: 'histogram',
    help: 'Operations of the session store in Redis.',
    labels: { operation: 'an operation of the store, such as `read`, `touch`', outcome: '`ok`, `error`' },
  },
  provider: {
    name: 'coatcheck_provider_duration_seconds',
    kind: 'histogram',
    help: 'Requests to the OpenID Provider.',
    labels: {
      operation:
        'the endpoint: `discovery`, `keys`, `token`, `revocation`, `userinfo`, `pushed_authorization`',
      outcome: '`2xx`, `3xx`, `4xx`, `5xx`, `error` (no answer)',
    },
  },
  openStreams: {
    name: 'coatcheck_open_streams',
    kind: 'gauge',
    help: 'Open WebSockets and event streams.',
    labels: { kind: '`websocket`, `sse`' },
  },
  openConnections: {
    name: 'coatcheck_open_connections',
    kind: 'gauge',
    help: 'Open connections of browsers, or of the proxy in front.',
    labels: {},
  },
} as const satisfies Readonly<Record<string, Series>>

/** Measured by the supervisor, with `WORKERS` above 1 only. */
export const supervisorSeries = {
  workers: {
    name: 'coatcheck_workers',
    kind: 'gauge',
    help: 'Worker processes: all that run, and those of them that answered this scrape.',
    labels: { state: '`running`, `answering`' },
  },
  workerDeaths: {
    name: 'coatcheck_worker_deaths_total',
    kind: 'counter',
    help: 'Worker processes that died and were replaced.',
    labels: {},
  },
} as const satisfies Readonly<Record<string, Series>>

/** The most useful of what prom-client measures of any Node process. */
export const processSeries: readonly Omit<Series, 'labels'>[] = [
  { name: 'nodejs_eventloop_lag_mean_seconds', kind: 'gauge', help: 'Event-loop lag since the last scrape.' },
  { name: 'nodejs_eventloop_lag_p99_seconds', kind: 'gauge', help: 'The same, 99th percentile.' },
  { name: 'nodejs_eventloop_lag_max_seconds', kind: 'gauge', help: 'The same, longest.' },
  { name: 'nodejs_gc_duration_seconds', kind: 'histogram', help: 'Garbage collections by kind.' },
  { name: 'nodejs_heap_size_used_bytes', kind: 'gauge', help: 'JavaScript heap in use.' },
  { name: 'process_resident_memory_bytes', kind: 'gauge', help: 'Resident memory.' },
  { name: 'process_cpu_seconds_total', kind: 'counter', help: 'Processor time, user and system.' },
  { name: 'process_open_fds', kind: 'gauge', help: 'Open file descriptors (Linux).' },
]
