import cluster from 'node:cluster'
import { readSupervisorMessage } from './worker-messages.ts'

const signals = ['SIGTERM', 'SIGINT'] as const

let isStarting = false
let wasHungUp = false

const abandon = (): void => process.exit(0)

const noteHangup = (): void => {
  wasHungUp = true
}

const obey = (untyped: unknown): void => {
  if (readSupervisorMessage(untyped)?.coatcheck === 'stop') abandon()
}

/**
 * While the gateway starts nobody has been served yet, so that there is nothing to finish: who is told to stop then ends at once, and well.
 * To be called before anything heavy is loaded; a worker's supervisor may speak before the worker has looked around.
 */
export function beginStart(): void {
  if (isStarting) return
  isStarting = true
  for (const signal of signals) process.on(signal, abandon)
  process.on('SIGHUP', noteHangup)
  if (cluster.isWorker) process.on('message', obey)
}

/** Says what SIGHUP means from now on. One that came earlier in the start, when nobody knew yet, means the same. */
export function onHangup(work: () => void): void {
  process.on('SIGHUP', work)
  // Not before: a signal that is on its way while nobody listens is lost.
  process.removeListener('SIGHUP', noteHangup)
  if (!wasHungUp) return
  wasHungUp = false
  work()
}

/** There is no file to be read again: SIGHUP ends the start like the other signals. */
export function abandonOnHangup(): void {
  onHangup(abandon)
}

/** The start is over. To be called once somebody else listens, who stops in order. */
export function endStart(): void {
  isStarting = false
  for (const signal of [...signals, 'SIGHUP'] as const) process.removeListener(signal, abandon)
  process.removeListener('SIGHUP', noteHangup)
  process.removeListener('message', obey)
}
