import type { Redis } from 'ioredis'
import type { DeletedRow, ReplaceResult, SessionStore, TakenRow } from '../contract.ts'
import { readSessionKey, type StoreKeys } from '../keys.ts'
import type { RunOperation } from './commands.ts'
import { type RedisClient, serversOf } from './connection/connection.ts'
import { type AskEach, askInPieces } from './each.ts'
import { unlessWrongType } from './foreign.ts'
import type { ScriptedClient } from './scripts.ts'
import type { AskTogether } from './slots.ts'

/** Keys looked at in one step of a scan. */
const scanCount = 500

type Reads = Pick<SessionStore, 'read' | 'exist' | 'readFacts' | 'scan'>

/** Reading sessions. */
export function redisReads(client: RedisClient, run: RunOperation, keys: StoreKeys, askEach: AskEach): Reads {
  const readRow = async (key: string): ReturnType<Reads['read']> => {
    const [sealedRecord, writeId, lastSeen] = await unlessWrongType(
      client.hmgetBuffer(key, 'd', 'v', 't'),
      [],
    )
    if (!sealedRecord || !writeId || !lastSeen) return undefined
    return { sealedRecord, writeId: writeId.toString('latin1'), lastSeenAtMs: toTimeMs(lastSeen) }
  }
  const readOneFacts = async (h: string): Promise<Awaited<ReturnType<Reads['readFacts']>>[number]> => {
    const [sealedFacts, lastSeen] = await unlessWrongType(client.hmgetBuffer(keys.session(h), 'm', 't'), [])
    return sealedFacts && lastSeen ? { sealedFacts, lastSeenAtMs: toTimeMs(lastSeen) } : undefined
  }
  const existsOne = async (h: string): Promise<boolean> => (await client.exists(keys.session(h))) === 1
  return {
    read(h) {
      const key = keys.session(h)
      return run('read', key, () => readRow(key))
    },
    exist: (hs) => askEach('exist', hs, existsOne),
    readFacts: (hs) =>
      askInPieces(hs, (piece) => run('read_facts', undefined, () => Promise.all(piece.map(readOneFacts)))),
    async *scan() {
      for (const server of serversOf(client)) yield* scanServer(server, run, keys)
    },
  }
}

/** A time that is no number is an end long past: such a session is over. */
function toTimeMs(lastSeen: Buffer): number {
  const timeMs = Number(lastSeen.toString('latin1'))
  return Number.isFinite(timeMs) ? timeMs : 0
}

async function* scanServer(
  server: Redis,
  run: RunOperation,
  keys: StoreKeys,
): AsyncIterable<readonly string[]> {
  let cursor = '0'
  do {
    const from = cursor
    const [next, found] = await run('scan', undefined, () =>
      server.scan(from, 'MATCH', keys.sessions, 'COUNT', scanCount),
    )
    cursor = next
    const hs = found.map((key) => readSessionKey(key)?.h).filter((h) => h !== undefined)
    if (hs.length > 0) yield hs
  } while (cursor !== '0')
}

const replaceResults: Readonly<Record<string, ReplaceResult>> = {
  '1': 'replaced',
  '0': 'conflict',
  '-1': 'gone',
}

/** The four writes, and no others; of deleting there are two kinds. */
export function redisWrites(
  client: ScriptedClient,
  run: RunOperation,
  keys: StoreKeys,
  askTogether: AskTogether,
): Pick<SessionStore, 'create' | 'replace' | 'touch' | 'delete' | 'deleteEach' | 'take' | 'readTaken'> {
  const deleteTogether = async (hs: readonly string[]): Promise<readonly DeletedRow[]> => {
    const reply = await client.coatcheckDeleteEachBuffer(hs.length, ...hs.map((h) => keys.session(h)))
    const found: readonly unknown[] = Array.isArray(reply) ? reply : []
    return hs.map((_h, at) => toDeleted(found[at]))
  }
  return {
    create(h, { sealedRecord, writeId, sealedFacts, lastSeenAtMs }, ttlMs) {
      const key = keys.session(h)
      const args = [sealedRecord, writeId, sealedFacts, lastSeenAtMs, Math.ceil(ttlMs)]
      return run('create', key, async () => (await client.coatcheckCreate(key, ...args)) === 1)
    },
    replace(h, expectedWriteId, { sealedRecord, writeId, sealedFacts }, maxTtlMs) {
      const key = keys.session(h)
      const maxTtl = maxTtlMs === undefined ? '' : Math.ceil(maxTtlMs)
      const facts = sealedFacts === undefined ? [] : [sealedFacts]
      const args = [expectedWriteId, writeId, sealedRecord, maxTtl, ...facts]
      return run('replace', key, async () => {
        const result = await unlessWrongType(client.coatcheckReplace(key, ...args), -1)
        return replaceResults[String(result)] ?? 'gone'
      })
    },
    touch(h, lastSeenAtMs, ttlMs) {
      const key = keys.session(h)
      const touched = (): Promise<unknown> => client.coatcheckTouch(key, lastSeenAtMs, Math.ceil(ttlMs))
      return run('touch', key, async () => (await unlessWrongType(touched(), 0)) === 1)
    },
    delete(h) {
      const key = keys.session(h)
      return run('delete', key, async () => (await client.del(key)) === 1)
    },
    deleteEach: (hs) => askTogether('delete', hs, deleteTogether),
    take(h, attempt, keepMs) {
      const key = keys.session(h)
      const taken = (): Promise<unknown> =>
        client.coatcheckTakeBuffer(key, keys.taken(h), attempt, Math.ceil(keepMs))
      return run('take', key, async () => toTaken(await unlessWrongType(taken(), [])))
    },
    readTaken(h, attempt) {
      const key = keys.taken(h)
      return run('take_read', key, async () => {
        const [of, ...row] = await unlessWrongType(client.hmgetBuffer(key, 'a', 'd', 'v'), [])
        return of?.toString('latin1') === attempt ? toTaken(row) : undefined
      })
    },
  }
}

/** Facts are bytes; a number says only whether there was a session. */
function toDeleted(found: unknown): DeletedRow {
  const sealedFacts = Buffer.isBuffer(found) ? found : undefined
  return { existed: sealedFacts !== undefined || found === 1, sealedFacts }
}

function toTaken(reply: unknown): TakenRow | undefined {
  const [sealedRecord, writeId]: readonly unknown[] = Array.isArray(reply) ? reply : []
  if (!Buffer.isBuffer(sealedRecord) || !Buffer.isBuffer(writeId)) return undefined
  return { sealedRecord, writeId: writeId.toString('latin1') }
}
