/**
 * Cache size against hit rate: a minute of traffic in simulated time, through the lookup and the cache of the gateway.
 * `node bench/scale/hit-rate.ts` prints a table.
 */
import { randomBytes } from 'node:crypto'
import { createCacheRoom, createSessionCache } from '../../src/session/lifecycle/cache.ts'
import { createLookup } from '../../src/session/lifecycle/lookup.ts'
import type { SessionView } from '../../src/session/record/session.ts'
import { noMetrics } from '../../src/telemetry/measures/metrics.ts'
import { table, whole } from '../report/table.ts'

const population = 50_000
const requestsPerSecond = 5_000
const seconds = 60
const sizes = [500, 2_000, 10_000, 50_000]
const limits = { idleTimeoutMs: 1_800_000, maxLifetimeMs: 36_000_000 }
const ids = Array.from({ length: population }, () => randomBytes(32).toString('base64url'))

/** Everybody asks as often as everybody else. */
const evenly = (): number => Math.floor(Math.random() * population)
/** A few are busy, most look in now and then: the k-th busiest asks 1/k as often as the busiest. */
const unevenly = (): number => Math.floor(population ** Math.random()) - 1

function viewOf(h: string): SessionView {
  const rest = { createdAtMs: 0, endsAtMs: 1e9, lastSeenAtMs: 0, access: {}, canRefresh: true }
  return { h, writeId: '', sessionRef: '', userRef: '', ...rest }
}

/** The share of requests that need not ask Redis. */
async function hitRate(size: number, pick: () => number): Promise<number> {
  let nowMs = 0
  let reads = 0
  const now = (): number => nowMs
  const changes = { isLive: () => true, epoch: () => 0, subscribe: () => () => undefined }
  const readView = async (_id: string, h: string): Promise<SessionView> => {
    reads += 1
    return viewOf(h)
  }
  const cache = createSessionCache(createCacheRoom(size), { changes, now })
  const lookup = createLookup({ cache, readView, limits, metrics: noMetrics, now })
  for (let turn = 0; turn < requestsPerSecond * seconds; turn += 1) {
    await lookup.find(ids[pick()] ?? '')
    nowMs += 1_000 / requestsPerSecond
  }
  return 1 - reads / (requestsPerSecond * seconds)
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
const rows: string[][] = []
for (const size of sizes) {
  rows.push([whole(size), percent(await hitRate(size, unevenly)), percent(await hitRate(size, evenly))])
}
const head = ['`SESSION_CACHE_SIZE`', 'hits, few busy sessions', 'hits, all alike']
process.stdout.write(`${table(head, rows)}
${whole(population)} sessions, ${whole(requestsPerSecond)} requests a second on one node. An entry lives ten seconds at most, so that sessions which ask
less often than that are read each time, however large the cache is.
`)
