/**
 * Thousands of generated interleavings against a real Redis: `REDIS_URL=redis://localhost:6379 node bench/interleavings.ts [runs] [seed]`.
 * Prints the seed first; a failure prints what was wrong and the schedule. The suite runs a hundred of them.
 */
import fc from 'fast-check'
import { createRedisStore } from '../src/session/redis-store.ts'
import { silentLogger } from '../src/telemetry/logger.ts'
import { noMetrics } from '../src/telemetry/metrics.ts'
import { runSchedule, schedules } from '../test/session/interleavings.ts'
import { startRedis } from '../test/support/redis.ts'

const [runs = '5000', seed = `${Date.now() % 2 ** 31}`] = process.argv.slice(2)
/** Runs under way at the same time: each mostly waits. */
const lanes = 8

const given = process.env.REDIS_URL
const own = given === undefined ? await startRedis() : undefined
const redisUrl = given ?? own?.url ?? ''
const telemetry = { log: silentLogger(), metrics: noMetrics }
const open = () => createRedisStore({ redisUrl, sessionMaxLifetime: 36_000 }, { telemetry })
const stores = [open(), open()] as const
while (!stores.every((store) => store.status().ready)) await new Promise((resolve) => setTimeout(resolve, 20))

process.stdout.write(`interleavings: ${runs} runs, seed ${seed}\n`)
const property = fc.asyncProperty(schedules, async (schedule) => {
  const faults = await runSchedule(stores, schedule)
  if (faults.length > 0) throw new Error(faults.join('\n'))
})
const check = async (lane: number): Promise<void> => {
  const perLane = Math.ceil(Number(runs) / lanes)
  const { failed, counterexample, errorInstance } = await fc.check(property, {
    numRuns: perLane,
    seed: Number(seed) + lane,
    endOnFailure: true,
  })
  if (!failed) return
  // The other lanes are still at work: what they would say about closing stores is of no interest.
  process.stdout.write(`${errorInstance}\n${JSON.stringify(counterexample)}\n`)
  await own?.stop()
  process.exit(1)
}
await Promise.all(Array.from({ length: lanes }, (_, lane) => check(lane)))
process.stdout.write(
  'no session came back, none was lost, none is beyond a logout, no token was presented twice\n',
)
await Promise.all(stores.map((store) => store.close()))
await own?.stop()
