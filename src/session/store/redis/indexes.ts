import type { IndexRange, SessionStore } from '../contract.ts'
import { piecesOf } from '../pieces.ts'
import type { RunOperation } from './commands.ts'
import { type ForeignValue, unlessWrongType } from './foreign.ts'
import type { ScriptedClient } from './scripts.ts'
import type { AskTogether } from './slots.ts'

type IndexedMember = Parameters<SessionStore['removeFromIndexes']>[0][number]

/** Old members looked at when one is added: enough to keep up, little enough not to be felt. */
const pruneLimit = 32

/** What indexes are made of. */
export interface RedisIndexesParts {
  /** Which of these sessions exist. */
  readonly exist: SessionStore['exist']
  readonly askTogether: AskTogether
  readonly foreign: ForeignValue
}

/**
 * Indexes in Redis: sorted sets of session hashes by their login's `iat`.
 *
 * @param maxLifetimeSeconds only members older than this are looked at for pruning. They go only when their session is gone,
 *   because sessions may have been made under a longer lifetime.
 */
export function redisIndexes(
  client: ScriptedClient,
  run: RunOperation,
  maxLifetimeSeconds: number,
  { exist, askTogether, foreign }: RedisIndexesParts,
): Pick<SessionStore, 'addToIndex' | 'removeFromIndex' | 'removeFromIndexes' | 'readIndex'> {
  const removeTogether = async (members: readonly IndexedMember[]): Promise<readonly true[]> => {
    const indexKeys = members.map((member) => member[0])
    const hs = members.map((member) => member[1])
    await client.coatcheckRemoveEach(members.length, ...indexKeys, ...hs)
    return members.map(() => true)
  }
  const removeFromIndex: SessionStore['removeFromIndex'] = async (indexKey, hs) => {
    for (const piece of piecesOf(hs)) {
      await run('index_remove', indexKey, () => unlessWrongType(client.zrem(indexKey, ...piece), 0))
    }
  }
  /** Nobody waits for it, and what is not answered stays: who adds the next member tries again. */
  const prune = async (indexKey: string, candidates: readonly string[]): Promise<void> => {
    const found = await exist(candidates)
    const dead = candidates.filter((_h, position) => found[position] === false)
    await removeFromIndex(indexKey, dead)
  }
  return {
    addToIndex: (indexKey, { h, issuedAtSeconds }, ttlMs) =>
      run('index_add', indexKey, async () => {
        const args = [h, issuedAtSeconds, Math.ceil(ttlMs), maxLifetimeSeconds, pruneLimit]
        const [wasForeign, ...old] = listOf(await client.coatcheckAddToIndex(indexKey, ...args))
        if (wasForeign === 1) foreign('index')
        const candidates = old.filter((one): one is string => typeof one === 'string' && one !== h)
        if (candidates.length > 0) void prune(indexKey, candidates).catch(() => undefined)
      }),
    removeFromIndex,
    async removeFromIndexes(members) {
      await askTogether('index_remove', members, removeTogether)
    },
    readIndex: (indexKey, range) =>
      run('index_read', indexKey, async () => {
        const flat = await unlessWrongType(readRange(client, indexKey, range), [])
        const members = flat.filter((_text, position) => position % 2 === 0)
        return members.map((h, position) => ({ h, issuedAtSeconds: Number(flat[2 * position + 1]) }))
      }),
  }
}

function readRange(
  client: ScriptedClient,
  indexKey: string,
  { newestFirst = false, upToSeconds, offset, count }: IndexRange,
): Promise<string[]> {
  const last = String(upToSeconds ?? '+inf')
  return newestFirst
    ? client.zrange(indexKey, last, '-inf', 'BYSCORE', 'REV', 'LIMIT', offset, count, 'WITHSCORES')
    : client.zrange(indexKey, '-inf', last, 'BYSCORE', 'LIMIT', offset, count, 'WITHSCORES')
}

function listOf(reply: unknown): readonly unknown[] {
  return Array.isArray(reply) ? reply : []
}
