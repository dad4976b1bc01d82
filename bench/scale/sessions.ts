/**
 * Sessions in Redis, from a thousand to a million: bytes of each, and what a lookup costs; then what one costs in the cache of a process.
 * `node --expose-gc bench/scale/sessions.ts [most]` prints a table.
 */
import { randomBytes } from 'node:crypto'
import { freemem } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { type RedisServer, startRedis } from '../../test/support/redis/redis.ts'
import { type ReadySession, writeReadySessions } from '../../test/support/worlds/ready-sessions.ts'
import { makeSessions } from '../arena/world.ts'
import { percentile } from '../report/statistics.ts'
import { table, whole } from '../report/table.ts'
import { deployment, openRecords } from './records.ts'

const stages = [1_000, 10_000, 100_000, 250_000, 1_000_000]
/** Redis and what it needs while it grows, bytes a session. */
const roomPerSession = 5_000
/** A stage that would take longer is left out, seconds. */
const longestStageSeconds = 150
const lookups = 2_000
const cachedSessions = 20_000
const lifetimeMs = 7_200_000

const ids: string[] = []
const templates = makeSessions()

/** New ids for the tokens of a thousand sessions: sealed, no two of them are alike. */
function* sessionsUpTo(count: number): Iterable<ReadySession> {
  while (ids.length < count) {
    const id = randomBytes(32).toString('base64url')
    const template = templates[ids.length % templates.length]
    if (template === undefined) return
    ids.push(id)
    yield { ...template, id }
  }
}

async function usedBytes(redis: RedisServer): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.client().info('memory'))?.[1])
}

async function lookUp(redisUrl: string): Promise<readonly number[]> {
  const { records, close } = await openRecords(redisUrl, 0)
  const timesUs: number[] = []
  for (let turn = 0; turn < lookups; turn += 1) {
    const id = ids[Math.floor(Math.random() * ids.length)] ?? ''
    const startedMs = performance.now()
    if ((await records.find(id)) === undefined) throw new Error('a session is missing')
    timesUs.push((performance.now() - startedMs) * 1_000)
  }
  await close()
  return timesUs.slice(lookups / 4)
}

async function grow(redis: RedisServer, most: number): Promise<readonly (readonly string[])[]> {
  const emptyBytes = await usedBytes(redis)
  const rows: string[][] = []
  let secondsEach = 0
  for (const count of stages) {
    const tooLong = secondsEach * (count - ids.length) > longestStageSeconds
    if (count > most || count * roomPerSession > freemem() + ids.length * roomPerSession || tooLong) break
    const startedMs = performance.now()
    const before = ids.length
    await writeReadySessions(sessionsUpTo(count), { ...deployment, redisUrl: redis.url, lifetimeMs })
    secondsEach = (performance.now() - startedMs) / 1_000 / (count - before)
    const bytesEach = ((await usedBytes(redis)) - emptyBytes) / count
    const timesUs = await lookUp(redis.url)
    rows.push([
      whole(count),
      whole(bytesEach),
      whole(percentile(timesUs, 0.5)),
      whole(percentile(timesUs, 0.99)),
    ])
    process.stderr.write(`sessions: ${rows.at(-1)?.join(', ')}\n`)
  }
  return rows
}

/** What is left once everything that can go has gone. */
async function heldBytes(): Promise<number> {
  for (let times = 0; times < 3; times += 1) {
    globalThis.gc?.()
    await sleep(50)
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** The same sessions once more, opened and kept by a process, as its cache keeps them. */
async function bytesCached(redisUrl: string): Promise<number> {
  const { records, close } = await openRecords(redisUrl, cachedSessions)
  const isKept = (id: string): boolean => !(records.find(id) instanceof Promise)
  const keep = async (some: readonly string[]): Promise<void> => {
    for (let at = 0; at < some.length; at += 100) {
      await Promise.all(some.slice(at, at + 100).map(async (id) => records.find(id)))
    }
  }
  // Some come before, so that code and buffers are there already.
  const measured = ids.slice(cachedSessions / 10, cachedSessions)
  await keep(ids.slice(0, cachedSessions / 10))
  const before = await heldBytes()
  await keep(measured)
  const after = await heldBytes()
  const kept = measured.filter(isKept).length
  process.stderr.write(`sessions: ${kept} of ${measured.length} are cached\n`)
  await close()
  return (after - before) / kept
}

const most = Number(process.argv[2] ?? stages.at(-1))
const redis = await startRedis({ conf: { maxmemory: '0' } })
try {
  const rows = await grow(redis, most)
  const head = ['Sessions in Redis', 'bytes each', 'lookup p50 µs', 'p99 µs']
  const cached = await bytesCached(redis.url)
  process.stdout.write(`${table(head, rows)}
Tokens as in all of these runs: an access token of 1.2 KB, an ID token of 0.9 KB, a refresh token. One lookup at a time: a read over
loopback, key derivation, opening, decoding. In the cache of a process a session takes ${whole(cached)} bytes.
`)
} finally {
  await redis.stop()
}
