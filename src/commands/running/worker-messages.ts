import type { NotedReads } from '../../config/frontends/noted-files.ts'
import type { IssuerReport } from '../../house/issuers.ts'
import type { Readiness } from '../../http/health/readiness.ts'
import type { SeriesSnapshot } from '../../telemetry/measures/prometheus.ts'

/** The signals that stop the gateway. */
export type StopSignal = 'SIGTERM' | 'SIGINT'

/** What a supervisor asks a worker. */
export type Question = 'metrics' | 'readiness' | 'readiness_for_traffic'

/** What a supervisor tells its workers. */
export type SupervisorMessage =
  | { readonly coatcheck: 'stop'; readonly signal: StopSignal }
  | { readonly coatcheck: 'ask'; readonly id: number; readonly question: Question }
  /** What the frontends are read from, at first and when that has changed. */
  | HouseMessage
  | { readonly coatcheck: 'issuers'; readonly report: IssuerReport }

/** What a worker's frontends are. */
export interface HouseMessage {
  readonly coatcheck: 'house'
  readonly reads: NotedReads
  readonly report: IssuerReport
  /** Those of all frontends that there were since the start: a worker that takes the place of another has not seen them go. */
  readonly cookieWords: readonly string[]
}

/** What a worker tells its supervisor. */
export type WorkerMessage =
  | WorkerAnswer
  /** Asks for the frontends. */
  | { readonly coatcheck: 'hello' }

/** An answer to a question of the supervisor. */
export interface WorkerAnswer {
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
  return isOurs(message, 'stop', 'ask', 'house', 'issuers') ? (message as SupervisorMessage) : undefined
}

/** An answer among what comes in the other direction. */
export function readWorkerAnswer(message: unknown): WorkerAnswer | undefined {
  return isOurs(message, 'answer') ? (message as WorkerAnswer) : undefined
}

function isOurs(message: unknown, ...kinds: readonly string[]): boolean {
  return typeof message === 'object' && message !== null && kinds.includes(Reflect.get(message, 'coatcheck'))
}
