import { randomInt } from 'node:crypto'
import { Redis } from 'ioredis'
import type { TestProject } from 'vitest/node'
import { findCommand, installPackage } from './commands.ts'
import { startRedis } from './redis/redis.ts'
import { ensureRedisServer } from './redis/redis-binary.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The suite's Redis. Files run at the same time: delete only keys that you made, never flush. */
    readonly redisUrl: string
    /** What the random tests of this run begin with. */
    readonly seed: number
  }
}

interface SuiteRedis {
  readonly url: string
  stop(): Promise<void> | void
}

async function answers(url: string): Promise<boolean> {
  const client = new Redis(url, { protocol: 2, lazyConnect: true, retryStrategy: () => null })
  client.on('error', () => undefined)
  const answered = await client.ping().then(
    () => true,
    () => false,
  )
  client.disconnect()
  return answered
}

async function findSuiteRedis(): Promise<SuiteRedis> {
  const url = process.env.REDIS_URL
  if (url === undefined || url === '') return startRedis()
  if (await answers(url)) return { url, stop: () => undefined }
  throw new Error('REDIS_URL is set, but no Redis answers there.')
}

/** Printed when the run starts, because what fails may end the run; `TEST_SEED` repeats one. */
function chooseSeed(): number {
  const seed = Number(process.env.TEST_SEED ?? randomInt(2 ** 31))
  process.stdout.write(`random tests: TEST_SEED=${seed}\n`)
  return seed
}

/** Makes the certificates of the tests that speak TLS. */
function ensureOpenssl(): void {
  if (findCommand('openssl') === undefined) installPackage('openssl')
  if (findCommand('openssl') === undefined) throw new Error('The tests need openssl on the PATH.')
}

/** Sees to what the suite needs of the machine, and finds or starts its Redis, once a run. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  ensureOpenssl()
  const removeServer = ensureRedisServer()
  const redis = await findSuiteRedis()
  project.provide('redisUrl', redis.url)
  project.provide('seed', chooseSeed())
  return async () => {
    await redis.stop()
    removeServer()
  }
}
