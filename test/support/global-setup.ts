import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { TestProject } from 'vitest/node'
import { freePort } from './ports.ts'
import { startRedis } from './redis.ts'
import { findRedisServer, installRedisServer } from './redis-binary.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The suite's Redis. Files run at the same time: delete only keys that you made, never flush. */
    readonly redisUrl: string
  }
}

interface SuiteRedis {
  readonly url: string
  stop(): Promise<void> | void
}

const noRedis =
  'The tests need Redis: set REDIS_URL, put redis-server or valkey-server on the PATH, or start Docker.'

function startContainer(port: number): string | undefined {
  const args = ['run', '--detach', '--rm', '--publish', `127.0.0.1:${port}:6379`, 'redis:7-alpine']
  const { status, stdout } = spawnSync('docker', args, { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
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

/** A container listens before Redis in it does, so its answer is what is waited for. */
async function startInDocker(): Promise<SuiteRedis | undefined> {
  const port = await freePort()
  const container = startContainer(port)
  if (container === undefined) return undefined
  const url = `redis://127.0.0.1:${port}`
  for (let attempt = 0; attempt < 50 && !(await answers(url)); attempt += 1) await sleep(100)
  return { url, stop: () => void spawnSync('docker', ['rm', '--force', container]) }
}

async function findRedis(): Promise<SuiteRedis> {
  const url = process.env.REDIS_URL
  if (url !== undefined && url !== '') {
    if (await answers(url)) return { url, stop: () => undefined }
    throw new Error('REDIS_URL is set, but no Redis answers there.')
  }
  if (findRedisServer() !== undefined) return startRedis()
  const container = await startInDocker()
  if (container !== undefined) return container
  if (installRedisServer() !== undefined) return startRedis()
  throw new Error(noRedis)
}

/** Finds or starts the suite's Redis, once a run. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const redis = await findRedis()
  project.provide('redisUrl', redis.url)
  return async () => redis.stop()
}
