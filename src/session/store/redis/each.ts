import { piecesOf } from '../pieces.ts'
import type { RunOperation } from './commands.ts'
import type { Deadlines } from './deadlines.ts'
import type { StoreOperation } from './operations.ts'

/** Asks one thing of many sessions; see {@link createAskEach}. */
export type AskEach = <Answer>(
  operation: StoreOperation,
  hs: readonly string[],
  askOne: (h: string) => Promise<Answer>,
) => Promise<readonly (Answer | undefined)[]>

/**
 * Makes what asks one thing of many sessions, in bounded pieces. What a part of the store answers counts, whatever another part does, and
 * also where that one says nothing at all: `undefined` stands for what was not answered.
 *
 * @param run carries out one piece as an operation of the store, without a limit: each question has one of its own
 * @returns rejects with the reason of the first failure, when nothing of a piece was answered
 */
export function createAskEach(run: RunOperation, { within }: Deadlines): AskEach {
  return async <Answer>(
    operation: StoreOperation,
    hs: readonly string[],
    askOne: (h: string) => Promise<Answer>,
  ) => {
    const askPiece = (piece: readonly string[]) => asFarAsAnswered(piece.map((h) => within(askOne(h))))
    return askInPieces(hs, (piece) => run(operation, undefined, () => askPiece(piece)))
  }
}

/** The answers to all of a list, which is asked about in bounded pieces, one after the other. */
export async function askInPieces<Asked, Answer>(
  asked: readonly Asked[],
  askPiece: (piece: readonly Asked[]) => Promise<readonly Answer[]>,
): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  for (const piece of piecesOf(asked)) answers.push(...(await askPiece(piece)))
  return answers
}

/**
 * The answers that came; `undefined` for the others.
 *
 * @throws the reason of the first failure, when none came
 */
export async function asFarAsAnswered<Answer>(
  asked: readonly Promise<Answer>[],
): Promise<readonly (Answer | undefined)[]> {
  const results = await Promise.allSettled(asked)
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined && results.every(({ status }) => status === 'rejected')) throw failed.reason
  return results.map((result) => (result.status === 'fulfilled' ? result.value : undefined))
}
