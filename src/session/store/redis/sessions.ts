import { Cluster, type Redis } from 'ioredis'
import { hashOfSessionKey, sessionKey, sessionKeyPrefix } from '../../record/keys.ts'
import type { ReplaceResult, SessionStore } from '../contract.ts'
import type { RunOperation } from './commands.ts'
import type { RedisClient } from './connection/connection.ts'
import { isWrongType } from './fault.ts'
import type { ScriptedClient } from './scripts.ts'

/** Keys looked at in one step of a scan. */
const scanCount = 500

/** A key of ours that holds something else is as good as none: never a failure of the store. */
async function unlessWrongType<Result, Absent>(
  work: Promise<Result>,
  absent: Absent,
): Promise<Result | Absent> {
  try {
    return await work
  } catch (error) {
    if (isWrongType(error)) return absent
    throw error
  }
}

type Reads = Pick<SessionStore, 'read' | 'exist' | 'readFacts' | 'scan'>

/** Reading sessions. */
export function redisReads(client: RedisClient, run: RunOperation): Reads {
  const readRow = async (h: string): ReturnType<Reads['read']> => {
    const [sealedRecord, writeId, lastSeen] = await unlessWrongType(
      client.hmgetBuffer(sessionKey(h), 'd', 'v', 't'),
      [],
    )
    if (!sealedRecord || !writeId || !lastSeen) return undefined
    return { sealedRecord, writeId: writeId.toString('latin1'), lastSeenAtMs: toTimeMs(lastSeen) }
  }
  const readOneFacts = async (h: string): Promise<Awaited<ReturnType<Reads['readFacts']>>[number]> => {
    const [sealedFacts, lastSeen] = await unlessWrongType(client.hmgetBuffer(sessionKey(h), 'm', 't'), [])
    return sealedFacts && lastSeen ? { sealedFacts, lastSeenAtMs: toTimeMs(lastSeen) } : undefined
  }
  const existsOne = async (h: string): Promise<boolean> => (await client.exists(sessionKey(h))) === 1
  return {
    read: (h) => run('read', sessionKey(h), () => readRow(h)),
    exist: (hs) => run('exist', undefined, () => Promise.all(hs.map(existsOne))),
    readFacts: (hs) => run('read_facts', undefined, () => Promise.all(hs.map(readOneFacts))),
    async *scan() {
      for (const server of serversOf(client)) yield* scanServer(server, run)
    },
  }
}

/** A time that is no number is an end long past: such a session is over. */
function toTimeMs(lastSeen: Buffer): number {
  const timeMs = Number(lastSeen.toString('latin1'))
  return Number.isFinite(timeMs) ? timeMs : 0
}

function serversOf(client: RedisClient): readonly Redis[] {
  return client instanceof Cluster ? client.nodes('master') : [client]
}

async function* scanServer(server: Redis, run: RunOperation): AsyncIterable<readonly string[]> {
  let cursor = '0'
  do {
    const from = cursor
    const [next, keys] = await run('scan', undefined, () =>
      server.scan(from, 'MATCH', `${sessionKeyPrefix}*`, 'COUNT', scanCount),
    )
    cursor = next
    const hs = keys.map(hashOfSessionKey).filter((h) => h !== undefined)
    if (hs.length > 0) yield hs
  } while (cursor !== '0')
}

const replaceResults: Readonly<Record<string, ReplaceResult>> = {
  '1': 'replaced',
  '0': 'conflict',
  '-1': 'gone',
}

/** The four writes, and no others. */
export function redisWrites(
  client: ScriptedClient,
  run: RunOperation,
): Pick<SessionStore, 'create' | 'replace' | 'touch' | 'delete'> {
  return {
    create(h, { sealedRecord, writeId, sealedFacts, lastSeenAtMs }, ttlMs) {
      const key = sessionKey(h)
      const args = [sealedRecord, writeId, sealedFacts, lastSeenAtMs, Math.ceil(ttlMs)]
      return run('create', key, async () => (await client.coatcheckCreate(key, ...args)) === 1)
    },
    replace(h, expectedWriteId, { sealedRecord, writeId, sealedFacts }, maxTtlMs) {
      const key = sessionKey(h)
      const maxTtl = maxTtlMs === undefined ? '' : Math.ceil(maxTtlMs)
      const facts = sealedFacts === undefined ? [] : [sealedFacts]
      const args = [expectedWriteId, writeId, sealedRecord, maxTtl, ...facts]
      return run('replace', key, async () => {
        const result = await unlessWrongType(client.coatcheckReplace(key, ...args), -1)
        return replaceResults[String(result)] ?? 'gone'
      })
    },
    touch(h, lastSeenAtMs, ttlMs) {
      const key = sessionKey(h)
      const touched = (): Promise<unknown> => client.coatcheckTouch(key, lastSeenAtMs, Math.ceil(ttlMs))
      return run('touch', key, async () => (await unlessWrongType(touched(), 0)) === 1)
    },
    delete(h) {
      const key = sessionKey(h)
      return run('delete', key, async () => (await client.del(key)) === 1)
    },
  }
}
