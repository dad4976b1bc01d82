import cluster, { type Worker } from 'node:cluster'
import type { AdminSource } from '../../http/admin/admin.ts'
import type { Check, Readiness } from '../../http/health/readiness.ts'
import { createWorkerMetrics } from '../../telemetry/measures/aggregation.ts'
import { createWorkerPolls, type Polled } from './worker-polls.ts'
import { liveWorkers, type WorkerObserver } from './workers.ts'

/** What the admin listener tells in a supervisor: one view over all workers. */
export function createSupervisorView(): AdminSource & WorkerObserver {
  const polls = createWorkerPolls()
  const metrics = createWorkerMetrics()
  const listening = new WeakSet<Worker>()
  let isStopping = false
  cluster.on('listening', (worker) => listening.add(worker))
  return {
    died: (worker) => metrics.died(worker.id),
    stopping() {
      isStopping = true
    },
    async metrics() {
      const polled = await polls.ask(liveWorkers(), 'metrics')
      for (const { worker, answer } of polled) if (answer !== undefined) metrics.update(worker.id, answer)
      const answering = polled.filter(({ answer }) => answer !== undefined).length
      return metrics.text({ running: polled.length, answering })
    },
    async isLive() {
      const polled = await polls.ask(liveWorkers(), 'readiness')
      return polled.length === 0 || polled.some(({ answer }) => answer !== undefined)
    },
    async readiness(forTraffic) {
      // A worker that still starts takes no connections yet, so it decides nothing.
      const serving = liveWorkers().filter((worker) => listening.has(worker))
      const polled = await polls.ask(serving, forTraffic ? 'readiness_for_traffic' : 'readiness')
      return isStopping ? stoppingReadiness : combineReadiness(polled)
    },
  }
}

const stoppingReadiness: Readiness = {
  ready: false,
  checks: { process: { ready: false, reason: 'shutting down' } },
}

/**
 * Ready when each worker that takes connections is, because each of them takes its share. Of each check the first one that failed is
 * shown.
 */
export function combineReadiness(
  polled: readonly Polled<'readiness' | 'readiness_for_traffic'>[],
): Readiness {
  const answers = polled.flatMap(({ answer }) => (answer === undefined ? [] : [answer]))
  const checks: Record<string, Check> = { workers: checkWorkers(polled.length, answers.length) }
  for (const [name, check] of answers.flatMap((answer) => Object.entries(answer.checks))) {
    if (checks[name]?.ready !== false) checks[name] = check
  }
  const frontends = answers.find((answer) => answer.frontends !== undefined)?.frontends
  const ready = checks.workers?.ready === true && answers.every((answer) => answer.ready)
  return { ready, checks, ...(frontends === undefined ? {} : { frontends }) }
}

function checkWorkers(serving: number, answering: number): Check {
  if (serving === 0) return { ready: false, reason: 'no worker listens yet' }
  if (answering < serving)
    return { ready: false, reason: `${serving - answering} of ${serving} workers do not answer` }
  return { ready: true, note: `${serving} workers` }
}
