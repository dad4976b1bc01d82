import { beforeEach, describe, expect, it } from 'vitest'
import { createWorkerMetrics, type WorkerMetrics } from '../../../src/telemetry/measures/aggregation.ts'
import { createPrometheusMetrics, type SeriesSnapshot } from '../../../src/telemetry/measures/prometheus.ts'

const counts = { running: 2, answering: 2 }
let all: WorkerMetrics
beforeEach(() => {
  all = createWorkerMetrics()
})

/** What a worker that answered so many requests tells, after its way through the channel between processes. */
async function worker(requests: number): Promise<readonly SeriesSnapshot[]> {
  const { metrics, exposition } = createPrometheusMetrics()
  for (let count = 0; count < requests; count += 1) metrics.request('/api', 200, 0.02)
  metrics.openStreams('sse', 1)
  return JSON.parse(JSON.stringify(await exposition.snapshot())) as readonly SeriesSnapshot[]
}

const requestsIn = (text: string) =>
  /coatcheck_request_duration_seconds_count\{route="\/api",status="2xx"\} (\d+)/.exec(text)?.[1]
const bucketIn = (text: string) =>
  /coatcheck_request_duration_seconds_bucket\{[^}]*le="0.025"[^}]*\} (\d+)/.exec(text)?.[1]
const streamsIn = (text: string) => /coatcheck_open_streams\{kind="sse"\} (\d+)/.exec(text)?.[1]

describe('the metrics of all workers', () => {
  it('are their sum, bucket by bucket', async () => {
    all.update(1, await worker(3))
    all.update(2, await worker(4))
    const text = await all.text(counts)
    expect(requestsIn(text)).toBe('7')
    expect(bucketIn(text)).toBe('7')
    expect(streamsIn(text)).toBe('2')
    expect(text).toContain('coatcheck_workers{state="running"} 2\n')
  })

  it('keep what dead workers counted, so that no sum ever falls, and forget what they held open', async () => {
    all.update(1, await worker(3))
    all.update(2, await worker(4))
    all.died(1)
    all.update(3, await worker(1))
    all.died(3)
    const text = await all.text(counts)
    expect(requestsIn(text)).toBe('8')
    expect(bucketIn(text)).toBe('8')
    expect(streamsIn(text)).toBe('1')
    expect(text).toContain('coatcheck_worker_deaths_total 2\n')
  })

  it('show the worst event-loop lag, not the sum', async () => {
    const lag = (value: number): readonly SeriesSnapshot[] => [
      {
        name: 'nodejs_eventloop_lag_p99_seconds',
        help: 'lag',
        type: 'gauge',
        aggregator: 'average',
        values: [{ labels: {}, value }],
      },
    ]
    all.update(1, lag(0.01))
    all.update(2, lag(0.5))
    expect(await all.text(counts)).toContain('nodejs_eventloop_lag_p99_seconds 0.5\n')
  })
})
