/**
 * Thousands of generated interleavings against a real Redis: `npm run interleavings -- [runs] [seed]`, with `REDIS_URL` against that one.
 * Prints the seed first; a failure prints what was wrong, the schedule, and the command that runs it again. The suite runs some hundred.
 */
import { createRedisStore } from '../../src/session/store/redis/store.ts'
import { silentLogger } from '../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../src/telemetry/measures/metrics.ts'
import { checkSchedules } from '../../test/session/support/interleavings.ts'
import { startRedis } from '../../test/support/redis/redis.ts'

const [runs = '10000', seed = `${Date.now() % 2 ** 31}`] = process.argv.slice(2)

const given = process.env.REDIS_URL
const own = given === undefined ? await startRedis() : undefined
const redisUrl = given ?? own?.url ?? ''
const telemetry = { log: silentLogger(), metrics: noMetrics }
const open = () => createRedisStore({ redisUrl, sessionMaxLifetime: 36_000 }, { telemetry })
const stores = [open(), open()] as const
while (!stores.every((store) => store.status().ready)) await new Promise((resolve) => setTimeout(resolve, 20))

process.stdout.write(`interleavings: ${runs} runs, seed ${seed}\n`)
try {
  await checkSchedules(stores, Number(runs), Number(seed))
} catch (error) {
  // The other lanes are still at work: what they would say about closing stores is of no interest.
  process.on('unhandledRejection', () => undefined)
  process.stdout.write(`${error}\nagain: npm run interleavings -- ${runs} ${seed}\n`)
  await own?.stop()
  process.exit(1)
}
process.stdout.write(
  'no session came back, none was lost, none is beyond a logout, no token was presented twice or left alive\n',
)
await Promise.all(stores.map((store) => store.close()))
await own?.stop()
