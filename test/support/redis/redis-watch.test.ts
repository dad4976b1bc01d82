import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { type RedisServer, startRedis } from './redis.ts'
import { type RedisWatch, watchRedis } from './redis-watch.ts'

let redis: RedisServer
let watch: RedisWatch

beforeAll(async () => {
  redis = await startRedis()
  watch = await watchRedis(redis.port)
})
afterAll(async () => {
  watch.stop()
  await redis.stop()
})

test('every byte that is written shows, even of a value that is gone at once', async () => {
  const value = Buffer.concat([
    Buffer.from('"quoted" \\ \r\n\t\x07\b'),
    randomBytes(256),
    Buffer.from([0, 255]),
  ])
  await redis.client().set('key', value)
  await redis.client().del('key')
  await eventually(() => expect(watch.content().includes(value)).toBe(true))
})

test('what a script writes shows', async () => {
  const value = randomBytes(64)
  await redis.client().eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, 'other', value)
  await eventually(() => expect(watch.content().includes(value)).toBe(true))
})

test('watching goes on after a restart', async () => {
  await redis.restart()
  await watch.rewatch()
  await redis.client().set('key', 'after the restart')
  await eventually(() => expect(watch.content().includes('after the restart')).toBe(true))
})
