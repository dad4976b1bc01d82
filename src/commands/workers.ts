import cluster, { type Worker } from 'node:cluster'
import type { Config } from '../config/load-config.ts'
import type { Logger } from '../telemetry/telemetry.ts'
import type { StopMessage, StopSignal } from './stop-message.ts'

/** A worker that died is replaced after this long, so that a crash loop stays cheap, milliseconds. */
const replaceDelayMs = 1_000

/** Workers end by themselves within `DRAIN_DELAY` + `SHUTDOWN_GRACE`; this much later they are killed, milliseconds. */
const killMarginMs = 2_000

type WorkerSettings = Pick<Config, 'workers' | 'drainDelay' | 'shutdownGrace'>

/**
 * Runs `WORKERS` processes that share the port, replaces those that die, and ends them on a signal.
 *
 * @returns the exit code once all have ended: 1 when one could not start, or did not end well
 */
export function superviseWorkers(settings: WorkerSettings, log: Logger): Promise<number> {
  let isStopping = false
  let exitCode = 0
  const listening = new WeakSet<Worker>()

  function stop(signal: StopSignal): void {
    if (isStopping) {
      killAll()
      return
    }
    isStopping = true
    const message: StopMessage = { coatcheck: 'stop', signal }
    for (const worker of liveWorkers()) worker.send(message)
    setTimeout(killAll, (settings.drainDelay + settings.shutdownGrace) * 1_000 + killMarginMs).unref()
  }

  function onExit(worker: Worker, code: number | null, signal: string | null): void {
    if (isStopping || !listening.has(worker)) {
      // A worker that never listened would fail again: its own message says why, and nothing is gained by trying on.
      if (code !== 0) exitCode = 1
      if (!isStopping) stop('SIGINT')
      return
    }
    log.error({ worker: worker.id, exitCode: code, signal }, 'a worker died; another takes its place')
    setTimeout(() => {
      if (!isStopping) cluster.fork()
    }, replaceDelayMs)
  }

  return new Promise((resolve) => {
    cluster.on('listening', (worker) => listening.add(worker))
    cluster.on('exit', (worker, code, signal) => {
      onExit(worker, code, signal)
      if (isStopping && liveWorkers().length === 0) resolve(exitCode)
    })
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
    for (let count = 0; count < settings.workers; count++) cluster.fork()
  })
}

function liveWorkers(): readonly Worker[] {
  return Object.values(cluster.workers ?? {}).flatMap((worker) =>
    worker === undefined || worker.isDead() ? [] : [worker],
  )
}

function killAll(): void {
  for (const worker of liveWorkers()) worker.process.kill('SIGKILL')
}
