import type { Readiness } from '../http/health/readiness.ts'
import type { SeriesSnapshot } from '../telemetry/prometheus.ts'

/** The signals that stop the gateway. */
export type StopSignal = 'SIGTERM' | 'SIGINT'

/** What a supervisor asks a worker. */
export type Question = 'metrics' | 'readiness' | 'readiness_for_traffic'

/** What a supervisor tells its workers. */
export type SupervisorMessage =
  | { readonly coatcheck: 'stop'; readonly signal: StopSignal }
  | { readonly coatcheck: 'ask'; readonly id: number; readonly question: Question }

/** What a worker tells its supervisor. */
export interface WorkerMessage {
  readonly coatcheck: 'answer'
  readonly id: number
  readonly answer: WorkerAnswers[Question]
}

/** What the answer to each question is. */
export interface WorkerAnswers {
  readonly metrics: readonly SeriesSnapshot[]
  readonly readiness: Readiness
  readonly readiness_for_traffic: Readiness
}

/** Other messages pass between processes of a cluster, too. */
export function readSupervisorMessage(message: unknown): SupervisorMessage | undefined {
  return isOurs(message, 'stop', 'ask') ? (message as SupervisorMessage) : undefined
}

/** The same for the other direction. */
export function readWorkerMessage(message: unknown): WorkerMessage | undefined {
  return isOurs(message, 'answer') ? (message as WorkerMessage) : undefined
}

function isOurs(message: unknown, ...kinds: readonly string[]): boolean {
  return typeof message === 'object' && message !== null && kinds.includes(Reflect.get(message, 'coatcheck'))
}
