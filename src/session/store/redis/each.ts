import { piecesOf } from '../pieces.ts'

/**
 * Asks one thing of many sessions, in bounded pieces. What a part of the store answers counts, whatever another part does: `undefined`
 * stands for what was not answered.
 *
 * @param run carries out one piece as an operation of the store, with its deadline
 * @throws the reason of the first failure, when nothing of a piece was answered
 */
export async function askEach<Answer>(
  hs: readonly string[],
  askOne: (h: string) => Promise<Answer>,
  run: (ask: () => Promise<readonly (Answer | undefined)[]>) => Promise<readonly (Answer | undefined)[]>,
): Promise<readonly (Answer | undefined)[]> {
  const answers: (Answer | undefined)[] = []
  for (const piece of piecesOf(hs)) {
    answers.push(...(await run(() => asFarAsAnswered(piece.map(askOne)))))
  }
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
