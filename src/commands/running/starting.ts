import cluster from 'node:cluster'
import { readSupervisorMessage } from './worker-messages.ts'

const signals = ['SIGTERM', 'SIGINT'] as const

let isStarting = false

const abandon = (): void => process.exit(0)

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
  if (cluster.isWorker) process.on('message', obey)
}

/** The start is over. To be called once somebody else listens, who stops in order. */
export function endStart(): void {
  isStarting = false
  for (const signal of signals) process.removeListener(signal, abandon)
  process.removeListener('message', obey)
}
