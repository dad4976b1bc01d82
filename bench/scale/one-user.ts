/**
 * One user with tens of thousands of sessions: `node bench/scale/one-user.ts [sessions]`. A logout by `sub` ends them all while a neighbour
 * reads its session as fast as 200 times a second; printed are the time of the logout, the neighbour's p99 before and meanwhile, and memory.
 */
import { createSealer } from '../../src/sealing/sealer.ts'
import { newSessionId } from '../../src/session/record/keys.ts'
import { createRedisStore } from '../../src/session/store/redis/store.ts'
import { silentLogger } from '../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../src/telemetry/measures/metrics.ts'
import {
  completedLogin,
  createNode,
  issuer,
  secret,
  signIn,
} from '../../test/session/support/sessions-world.ts'
import { startRedis } from '../../test/support/redis/redis.ts'
import { percentile } from '../report/statistics.ts'

const sessions = Number(process.argv[2] ?? 40_000)
const atOnce = 200
const readEveryMs = 5
const quietMs = 5_000

const redis = await startRedis()
const telemetry = { log: silentLogger(), metrics: noMetrics }
const open = () => createRedisStore({ redisUrl: redis.url, sessionMaxLifetime: 36_000 }, { telemetry })
const stores = [open(), open()] as const
while (!stores.every((store) => store.status().ready)) await new Promise((resolve) => setTimeout(resolve, 20))
const provider = {
  refresh: () => Promise.reject(new Error('nothing is refreshed here')),
  revoke: async () => true,
}
const [busy, neighbour] = stores.map((store) =>
  createNode({ store, now: Date.now, provider, sealer: createSealer([secret]), sessionCache: false }),
)
if (busy === undefined || neighbour === undefined) throw new Error('two nodes')

let left = sessions
const fill = async (): Promise<void> => {
  for (; left > 0; left -= 1) {
    const login = completedLogin(Date.now() - 60_000, { subject: 'many', providerSessionId: newSessionId() })
    const input = { id: newSessionId(), login, audienceKey: 'default', browserFamily: 'Firefox' }
    await busy.sessions.begin({ ...input, redeemedAtMs: Date.now() })
  }
}
await Promise.all(Array.from({ length: atOnce }, fill))
const own = await signIn(neighbour, Date.now, { subject: 'neighbour', providerSessionId: 'own' })

const readFor = async (isOver: () => boolean, node = neighbour): Promise<readonly number[]> => {
  const times: number[] = []
  while (!isOver()) {
    const startedAtMs = performance.now()
    if ((await node.sessions.open(own.id)) === undefined) throw new Error('the neighbour was signed out')
    times.push(performance.now() - startedAtMs)
    await new Promise((resolve) => setTimeout(resolve, readEveryMs))
  }
  return times
}

const endsAtMs = performance.now() + quietMs
const before = await readFor(() => performance.now() > endsAtMs)
const heapBefore = process.memoryUsage().rss
let isOver = false
let mostRss = heapBefore
const watch = setInterval(() => {
  mostRss = Math.max(mostRss, process.memoryUsage().rss)
}, 20)
const meanwhile = readFor(() => isOver)
const startedAtMs = performance.now()
const { ended } = await busy.sessions.endByLogoutToken({
  issuer,
  subject: 'many',
  providerSessionId: undefined,
  issuedAtSeconds: Math.floor(Date.now() / 1_000),
  jti: newSessionId(),
})
const tookMs = performance.now() - startedAtMs
isOver = true
clearInterval(watch)
const during = await meanwhile
const left99 = await redis.client().dbsize()
process.stdout.write(`${ended} sessions ended in ${(tookMs / 1_000).toFixed(2)} s, ${left99} keys left
neighbour p99 ${percentile(before, 0.99).toFixed(2)} ms before, ${percentile(during, 0.99).toFixed(2)} ms meanwhile (${during.length} reads)
resident memory ${Math.round(heapBefore / 1e6)} MB before, ${Math.round(mostRss / 1e6)} MB at most meanwhile
`)
await Promise.all(stores.map((store) => store.close()))
await redis.stop()
