import { AggregatorRegistry } from 'prom-client'
import type { SeriesSnapshot } from './prometheus.ts'
import { supervisorSeries } from './series.ts'

/** One view over the metrics of all workers, those that have died included. */
export interface WorkerMetrics {
  /** Keeps the latest metrics of a worker. */
  update(workerId: number, snapshot: readonly SeriesSnapshot[]): void
  /** A worker has died: what it counted stays counted, what it measured at the moment is gone. */
  died(workerId: number): void
  /** @param counts workers now, for the series of the supervisor itself */
  text(counts: { readonly running: number; readonly answering: number }): Promise<string>
}

/** Of these the worst worker matters, not the sum or the average of all. */
const worstOf = /^nodejs_eventloop_lag_(?!min)/

/**
 * Adds up the metrics of workers. A counter of the sum must never fall, or Prometheus would take that for a restart and count everything
 * again: so a worker that does not answer is counted as it was last seen, and the totals of those that died are kept.
 */
export function createWorkerMetrics(): WorkerMetrics {
  const latest = new Map<number, readonly SeriesSnapshot[]>()
  let ofTheDead: readonly SeriesSnapshot[] = []
  let deaths = 0
  return {
    update: (workerId, snapshot) => void latest.set(workerId, snapshot),
    died(workerId) {
      deaths += 1
      const totals = (latest.get(workerId) ?? []).filter(({ type }) => type !== 'gauge')
      latest.delete(workerId)
      if (totals.length > 0) ofTheDead = addUp([ofTheDead, totals])
    },
    async text(counts) {
      const own = ownSeries(counts, deaths)
      return toRegistry([...latest.values(), ofTheDead, own].map(withWorst)).metrics()
    },
  }
}

function addUp(snapshots: readonly (readonly SeriesSnapshot[])[]): readonly SeriesSnapshot[] {
  const sums = new Map<string, SeriesSnapshot>()
  for (const series of snapshots.flat()) {
    const known = sums.get(series.name)
    sums.set(series.name, known === undefined ? series : { ...series, values: addValues(known, series) })
  }
  return [...sums.values()]
}

function addValues(one: SeriesSnapshot, other: SeriesSnapshot): SeriesSnapshot['values'] {
  const sums = new Map<string, SeriesSnapshot['values'][number]>()
  for (const sample of [...one.values, ...other.values]) {
    const key = JSON.stringify([sample.metricName, sample.labels])
    sums.set(key, { ...sample, value: sample.value + (sums.get(key)?.value ?? 0) })
  }
  return [...sums.values()]
}

function withWorst(snapshot: readonly SeriesSnapshot[]): readonly SeriesSnapshot[] {
  return snapshot.map((series) => (worstOf.test(series.name) ? { ...series, aggregator: 'max' } : series))
}

function toRegistry(snapshots: readonly (readonly SeriesSnapshot[])[]) {
  return AggregatorRegistry.aggregate([...snapshots])
}

function ownSeries(
  { running, answering }: { readonly running: number; readonly answering: number },
  deaths: number,
): readonly SeriesSnapshot[] {
  const { workers, workerDeaths } = supervisorSeries
  return [
    {
      ...describe(workers),
      values: [
        { labels: { state: 'running' }, value: running },
        { labels: { state: 'answering' }, value: answering },
      ],
    },
    { ...describe(workerDeaths), values: [{ labels: {}, value: deaths }] },
  ]
}

function describe({ name, help, kind }: (typeof supervisorSeries)[keyof typeof supervisorSeries]) {
  return { name, help, type: kind, aggregator: 'sum' }
}
