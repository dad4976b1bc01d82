import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freePort } from '../support/ports.ts'
import { findRedisServer } from '../support/redis/redis-binary.ts'
import { newHash, newRow, openStore, untilReady } from '../support/redis/redis-stores.ts'

const shipped = (name: string): string =>
  fileURLToPath(new URL(`../../deploy/redis/${name}`, import.meta.url))
const password = 'the-password-in-the-file'

let folder: string
let port: number
let child: ChildProcess

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-redis-start-'))
  port = await freePort()
  await writeFile(join(folder, 'password'), `${password}\n`)
  // The image's program has one name; here it may be valkey-server.
  const name = findRedisServer() ?? 'redis-server'
  const command = `redis-server() { "${name}" "$@"; }; . "${shipped('start.sh')}"`
  child = spawn('sh', name.endsWith('redis-server') ? [shipped('start.sh')] : ['-c', command], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH ?? '',
      REDIS_PASSWORD_FILE: join(folder, 'password'),
      ACL_TEMPLATE: shipped('users.acl'),
      ACL_FILE: join(folder, 'users.acl'),
      REDIS_BIND: '127.0.0.1',
      REDIS_PORT: `${port}`,
    },
  })
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`start.sh ended with ${code}`)))
    child.stdout?.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('Ready to accept connections')) resolve()
    })
  })
})

afterAll(async () => {
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await exited
  await rm(folder, { recursive: true, force: true })
})

it('the shipped start script lets the gateway in with the password of the file, and warns of nothing', async () => {
  const logged = openStore({
    redisUrl: `redis://127.0.0.1:${port}`,
    redisUsername: 'coatcheck',
    redisPassword: password,
  })
  await untilReady(logged)
  expect(await logged.store.create(newHash(), newRow(), 5_000)).toBe(true)
  expect(logged.store.status().note).toBeUndefined()
  expect(logged.messages).toEqual([])
  await logged.store.close()
})

it('lets nobody else in, and the gateway do nothing else', async () => {
  const stranger = new Redis({ host: '127.0.0.1', port, protocol: 2, enableReadyCheck: false })
  await expect(stranger.ping()).rejects.toThrow('NOAUTH')
  await stranger.call('AUTH', 'coatcheck', password)
  for (const command of [['KEYS', '*'], ['FLUSHALL'], ['GET', 'other:key'], ['CONFIG', 'GET', '*']]) {
    const [name = '', ...rest] = command
    await expect(stranger.call(name, rest)).rejects.toThrow('NOPERM')
  }
  stranger.disconnect()
})
