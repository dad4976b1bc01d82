import { Cluster } from 'ioredis'
import type { RunOperation } from './commands.ts'
import type { RedisClient } from './connection/connection.ts'
import type { Deadlines } from './deadlines.ts'
import { asFarAsAnswered, askInPieces } from './each.ts'
import type { StoreOperation } from './operations.ts'

/** One script for several keys, where that can be, in bounded pieces; see {@link createAskTogether}. */
export type AskTogether = <Asked, Answer>(
  operation: StoreOperation,
  asked: readonly Asked[],
  ask: (together: readonly Asked[]) => Promise<readonly Answer[]>,
) => Promise<readonly (Answer | undefined)[]>

/**
 * Makes one command of many where the server takes keys of several slots in one. A Cluster does not, nor do some
 * services that hide one behind a single address; those say so once, and are asked key by key from then on.
 *
 * @param run carries out one piece as an operation of the store, without a limit: each command has one of its own
 * @returns `undefined` for what was not answered; rejects when nothing of a piece was
 */
export function createAskTogether(
  client: RedisClient,
  run: RunOperation,
  { within }: Deadlines,
): AskTogether {
  let isSplit = client instanceof Cluster
  type AskPiece = <Asked, Answer>(
    piece: readonly Asked[],
    ask: (together: readonly Asked[]) => Promise<readonly Answer[]>,
  ) => Promise<readonly (Answer | undefined)[]>
  const askApart: AskPiece = async (piece, ask) => {
    const answers = await asFarAsAnswered(piece.map((one) => within(ask([one]))))
    return answers.map((answer) => answer?.[0])
  }
  const askPiece: AskPiece = async (piece, ask) => {
    if (isSplit) return askApart(piece, ask)
    try {
      return await within(ask(piece))
    } catch (error) {
      if (!(error instanceof Error && error.message.includes('CROSSSLOT'))) throw error
      isSplit = true
      return askApart(piece, ask)
    }
  }
  return async <Asked, Answer>(
    operation: StoreOperation,
    asked: readonly Asked[],
    ask: (together: readonly Asked[]) => Promise<readonly Answer[]>,
  ) => askInPieces(asked, (piece) => run(operation, undefined, () => askPiece(piece, ask)))
}
