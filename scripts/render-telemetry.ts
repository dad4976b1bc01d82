import { auditEvents, auditFields } from '../src/telemetry/audit-events.ts'
import {
  gatewaySeries,
  processSeries,
  type Series,
  supervisorSeries,
} from '../src/telemetry/measures/series.ts'

const nextLine = '\n'

/** `docs/metrics.md`. */
export function renderMetricsPage(): string {
  return [
    ...metricsIntroduction,
    '## The gateway',
    '',
    ...seriesTable(Object.values(gatewaySeries)),
    '',
    'With [several frontends](several-frontends.md) each series also has the label `frontend`, but for those of the store and of connections.',
    '',
    'A histogram has the usual `_bucket`, `_sum` and `_count`. `coatcheck_request_duration_seconds` measures until the whole answer is sent,',
    'so an event stream counts with its whole life; what a page waits for is in `coatcheck_upstream_duration_seconds`. WebSockets are in',
    '`coatcheck_open_streams` only.',
    '',
    '## The supervisor',
    '',
    'With `WORKERS` above 1 only. The series above are then sums over all workers: what dead workers counted stays in the sum, and a worker',
    'that does not answer a scrape counts as it was last seen, so that no counter ever falls. Of the event-loop lag the worst worker’s is shown.',
    '',
    ...seriesTable(Object.values(supervisorSeries)),
    '',
    '## The process',
    '',
    'What prom-client measures of any Node process, under its usual names, so that dashboards for Node work. The most useful:',
    '',
    '| Series | Kind | Says |',
    '|---|---|---|',
    ...processSeries.map(({ name, kind, help }) => `| \`${name}\` | ${kind} | ${help} |`),
    '',
  ].join(nextLine)
}

const metricsIntroduction = [
  '# Metrics',
  '',
  '<!-- Rendered from src/telemetry/measures/series.ts by scripts/render-docs.ts (npm run docs). Do not edit. -->',
  '',
  '`ADMIN_PORT` opens a listener of its own with `/metrics` for Prometheus, `/livez` and `/readyz`. It is on loopback unless `ADMIN_HOST` says',
  'otherwise, and belongs into no ingress. Without it nothing is measured. A port that is taken stops the start.',
  '',
  'No label value is ever chosen by a client: unknown paths count as `other`, and routes by their prefix.',
  '',
  'A dashboard for Grafana is in [deploy/grafana](../deploy/grafana/coatcheck.json), alert rules in',
  '[deploy/prometheus](../deploy/prometheus/alerts.yaml); a test compares the names in both with the gateway. What to do about an alert is in',
  '[operations](operations.md).',
  '',
]

function seriesTable(rows: readonly Series[]): readonly string[] {
  return [
    '| Series | Kind | Says | Labels |',
    '|---|---|---|---|',
    ...rows.map(({ name, kind, help, labels }) => {
      const described = Object.entries(labels).map(([label, values]) => `\`${label}\`: ${values}`)
      return `| \`${name}\` | ${kind} | ${help} | ${described.join('<br>')} |`
    }),
  ]
}

/** `docs/audit-events.md`. */
export function renderAuditPage(): string {
  return [
    '# Audit events',
    '',
    '<!-- Rendered from src/telemetry/audit-events.ts by scripts/render-docs.ts (npm run docs). Do not edit. -->',
    '',
    'One line of the log each, with `"audit": "<name>"`, written whatever `LOG_LEVEL` says unless it is `silent`. Refusals have the level `warn`,',
    'all others `info`. Names and fields are a stable schema: none is renamed or reused with another meaning, new ones may be added. A field',
    'that is not known is left out; `frontend` is there where several share the process.',
    '',
    '```json',
    exampleLine,
    '```',
    '',
    '| Event | Written when | Fields |',
    '|---|---|---|',
    ...Object.entries(auditEvents).map(
      ([name, { when, fields }]) =>
        `| \`${name}\` | ${when} | ${fields.map((field) => `\`${field}\``).join(', ')} |`,
    ),
    '',
    '## Fields',
    '',
    '| Field | Says |',
    '|---|---|',
    ...Object.entries(auditFields).map(([name, says]) => `| \`${name}\` | ${says} |`),
    '',
    'References are pseudonyms: a truncated HMAC under a key of its own. The same session or user has the same reference in every line, request',
    'lines included, and nobody without `SESSION_SECRET` can tell who it is. Nothing in a line can be used to act as anybody.',
    '',
    '## Request lines',
    '',
    'Beside the events, at `LOG_LEVEL` `info` and below, each request is one line with `"msg": "request"`, whatever became of it: `requestId`, `method`,',
    '`path` (without the query, which on `/callback` holds a code), `status`, `milliseconds`, `complete` (false when the browser left or the answer',
    'broke off; `status` is then what the answer had begun with, and 499 where nothing had been answered yet), and for requests with a session `sessionRef` and `userRef`. While [tracing](configuration.md#tracing) is on, `traceId` names its',
    'trace. A WebSocket is one line with status 101 once it has ended. What is refused before it can be routed has its line as well: CONNECT with',
    'status 405; what is no HTTP with 400 (408, 413, 431) and, as nobody can tell, an empty `method` and `path`; a handshake or CONNECT behind an',
    'answer that is still under way, whose connection is closed, with `complete` false.',
    '',
  ].join(nextLine)
}

const exampleLine =
  '{"level":"info","time":"2026-11-25T08:00:00.000Z","audit":"login.completed","requestId":"mB1nZ0lQ3x9yT7aK","sessionRef":"0Rk3vJq9cQ2mYx1B","userRef":"h7LwZt5nS8dPp4Ga","msg":"login.completed"}'
