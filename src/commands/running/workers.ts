import cluster, { type Worker } from 'node:cluster'
import type { Config } from '../../config/load-config.ts'
import type { Logger } from '../../telemetry/telemetry.ts'
import { longestRefreshMs } from './serve.ts'
import { endStart } from './starting.ts'
import type { StopSignal, SupervisorMessage } from './worker-messages.ts'

/** A worker that died is replaced after this long, so that a crash loop stays cheap, milliseconds. */
const replaceDelayMs = 1_000

/**
 * Workers end by themselves within `DRAIN_DELAY` + `SHUTDOWN_GRACE`, and the end of the refreshes that they still have under way; so much
 * later they are killed, milliseconds.
 */
const killMarginMs = longestRefreshMs + 2_000

type WorkerSettings = Pick<Config, 'port' | 'workers' | 'drainDelay' | 'shutdownGrace'>

/** Who else hears of workers. */
export interface WorkerObserver {
  died(worker: Worker): void
  /** The first signal has come. */
  stopping(): void
  /** Somebody else hears SIGHUP, which stops the workers otherwise, as it does one process. */
  readonly reloads?: boolean
}

/**
 * Runs `WORKERS` processes that share the port, replaces those that die, and ends them on a signal; a second signal kills them.
 *
 * @returns the exit code once all have ended: 1 when none could start, or one did not end well
 */
export function superviseWorkers(
  settings: WorkerSettings,
  log: Logger,
  observer?: WorkerObserver,
): Promise<number> {
  let isStopping = false
  let isTold = false
  let hasServed = false
  const serving = new WeakSet<Worker>()
  let exitCode = 0

  function obey(signal: StopSignal): void {
    if (isTold) {
      killAll()
      return
    }
    isTold = true
    stop(signal)
  }

  function stop(signal: StopSignal): void {
    if (isStopping) return
    isStopping = true
    observer?.stopping()
    for (const worker of liveWorkers()) tell(worker, { coatcheck: 'stop', signal })
    setTimeout(killAll, (settings.drainDelay + settings.shutdownGrace) * 1_000 + killMarginMs).unref()
  }

  /** A signal to the whole process group found a worker that had not begun yet. */
  function isAbandoned(worker: Worker, signal: string | null): boolean {
    return ['SIGTERM', 'SIGINT', 'SIGHUP'].some((one) => one === signal) && !serving.has(worker)
  }

  function onExit(worker: Worker, code: number | null, signal: string | null): void {
    if (isStopping || !hasServed) {
      // Before any worker has listened, another would fail in the same way: its own message says why.
      if (code !== 0 && !(isStopping && isAbandoned(worker, signal))) exitCode = 1
      stop('SIGINT')
      return
    }
    observer?.died(worker)
    log.error({ worker: worker.id, exitCode: code, signal }, 'a worker died; another takes its place')
    setTimeout(() => {
      if (!isStopping) cluster.fork()
    }, replaceDelayMs)
  }

  function onFault(err: Error): void {
    log.fatal({ err }, 'uncaught fault in the supervisor; all workers end')
    exitCode = 1
    if (isStopping) killAll()
    else stop('SIGINT')
  }

  return new Promise((resolve) => {
    cluster.on('listening', (worker, { port }) => {
      // Others open before, and say nothing yet.
      if (port !== settings.port) return
      hasServed = true
      serving.add(worker)
    })
    cluster.on('exit', (worker, code, signal) => {
      onExit(worker, code, signal)
      if (isStopping && liveWorkers().length === 0) resolve(exitCode)
    })
    process.on('SIGTERM', obey)
    process.on('SIGINT', obey)
    // A terminal that was closed.
    if (observer?.reloads !== true) process.on('SIGHUP', () => obey('SIGINT'))
    endStart()
    process.on('uncaughtException', onFault)
    for (let count = 0; count < settings.workers; count++) cluster.fork()
  })
}

/** The workers that have not ended. */
export function liveWorkers(): readonly Worker[] {
  return Object.values(cluster.workers ?? {}).flatMap((worker) =>
    worker === undefined || worker.isDead() ? [] : [worker],
  )
}

/** Tells a worker something; one that has gone meanwhile, as a signal to the whole process group makes it go, need not hear it. */
export function tell(worker: Worker, message: SupervisorMessage): void {
  if (worker.isConnected()) worker.send(message, () => undefined)
}

function killAll(): void {
  for (const worker of liveWorkers()) worker.process.kill('SIGKILL')
}
