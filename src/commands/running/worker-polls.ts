import cluster, { type Worker } from 'node:cluster'
import {
  type Question,
  readWorkerAnswer,
  type SupervisorMessage,
  type WorkerAnswers,
} from './worker-messages.ts'

/** A worker that is alive answers within this, also under load; shorter than any scrape's or probe's own timeout, milliseconds. */
const answerWithinMs = 800

/** A worker and what it answered; `undefined`: nothing in time. */
export interface Polled<Asked extends Question> {
  readonly worker: Worker
  readonly answer: WorkerAnswers[Asked] | undefined
}

/** Asks workers and collects what they answer. */
export interface WorkerPolls {
  ask<Asked extends Question>(workers: readonly Worker[], question: Asked): Promise<readonly Polled<Asked>[]>
}

/** Makes the asking side; one a process. */
export function createWorkerPolls(): WorkerPolls {
  const pending = new Map<number, (answer: WorkerAnswers[Question]) => void>()
  let lastId = 0
  cluster.on('message', (_worker, untyped: unknown) => {
    const message = readWorkerAnswer(untyped)
    if (message !== undefined) pending.get(message.id)?.(message.answer)
  })

  async function askOne<Asked extends Question>(worker: Worker, question: Asked): Promise<Polled<Asked>> {
    lastId += 1
    const id = lastId
    const { promise, resolve } = Promise.withResolvers<WorkerAnswers[Question] | undefined>()
    const timer = setTimeout(() => resolve(undefined), answerWithinMs)
    pending.set(id, resolve)
    const message: SupervisorMessage = { coatcheck: 'ask', id, question }
    // One that ends just now cannot be sent anything; then nothing comes.
    if (worker.isConnected()) worker.send(message, (error) => error !== null && resolve(undefined))
    else resolve(undefined)
    const answer = (await promise) as WorkerAnswers[Asked] | undefined
    clearTimeout(timer)
    pending.delete(id)
    return { worker, answer }
  }

  return { ask: (workers, question) => Promise.all(workers.map((worker) => askOne(worker, question))) }
}
