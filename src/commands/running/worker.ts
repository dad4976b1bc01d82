import { setTimeout as sleep } from 'node:timers/promises'
import type { CheckReadiness } from '../../http/health/readiness.ts'
import type { Exposition } from '../../telemetry/measures/prometheus.ts'
import {
  type Question,
  readSupervisorMessage,
  type WorkerAnswer,
  type WorkerAnswers,
} from './worker-messages.ts'

/** What a worker can tell its supervisor. */
export interface WorkerSource {
  readonly exposition: Exposition | undefined
  readonly checkReadiness: CheckReadiness
}

/** Answers the supervisor's questions from now on. */
export function answerSupervisor(source: WorkerSource): void {
  process.on('message', (untyped: unknown) => {
    const message = readSupervisorMessage(untyped)
    if (message?.coatcheck !== 'ask') return
    const { id, question } = message
    const send = (answer: WorkerAnswer['answer']): void => {
      const reply: WorkerAnswer = { coatcheck: 'answer', id, answer }
      // Without a supervisor there is nobody to tell, and nothing to do about it.
      if (process.connected) process.send?.(reply, undefined, undefined, () => undefined)
    }
    // A question that cannot be answered is one that is not answered in time.
    findAnswer(source, question).then(send, () => undefined)
  })
}

async function findAnswer(source: WorkerSource, question: Question): Promise<WorkerAnswers[Question]> {
  if (question === 'metrics') return (await source.exposition?.snapshot()) ?? []
  return source.checkReadiness(question === 'readiness_for_traffic')
}

const readyCheckMs = 20

/** As long as a worker waits for its store before it takes connections, milliseconds. */
const storeWithinMs = 3_000

/** Resolves once the store answers, or after a while: then what needs none is served. */
export async function storeReadyWithin(isStoreReady: () => Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + storeWithinMs
  while (!(await isStoreReady()) && performance.now() < untilMs) await sleep(readyCheckMs)
}

/** Resolves once the process is ready, or after `limitMs`. */
export async function readyWithin(checkReadiness: CheckReadiness, limitMs: number): Promise<void> {
  const untilMs = performance.now() + limitMs
  while (!(await checkReadiness(false)).ready && performance.now() < untilMs) await sleep(readyCheckMs)
}
