import { Cluster } from 'ioredis'
import type { RedisClient } from './connection/connection.ts'
import { asFarAsAnswered } from './each.ts'

/** One script for several keys, where that can be. */
export type AskTogether = <Asked, Answer>(
  asked: readonly Asked[],
  ask: (together: readonly Asked[]) => Promise<readonly Answer[]>,
) => Promise<readonly (Answer | undefined)[]>

/**
 * Makes one command of many where the server takes keys of several slots in one. A Cluster does not, nor do some
 * services that hide one behind a single address; those say so once, and are asked key by key from then on.
 *
 * @returns `undefined` for what was not answered
 */
export function createAskTogether(client: RedisClient): AskTogether {
  let isSplit = client instanceof Cluster
  const askApart: AskTogether = async (asked, ask) => {
    const answers = await asFarAsAnswered(asked.map(async (one) => ask([one])))
    return answers.map((answer) => answer?.[0])
  }
  return async (asked, ask) => {
    if (isSplit) return askApart(asked, ask)
    try {
      return await ask(asked)
    } catch (error) {
      if (!(error instanceof Error && error.message.includes('CROSSSLOT'))) throw error
      isSplit = true
      return askApart(asked, ask)
    }
  }
}
