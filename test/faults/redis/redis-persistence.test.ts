import { readdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type RedisConf, type RedisServer, startRedis } from '../../support/redis/redis.ts'
import { newHash, newRow, openStore, untilReady } from '../../support/redis/redis-stores.ts'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** Creates a session, saves what the configuration saves, rotates and ends it; what is there after a crash of Redis. */
async function afterCrash(
  conf: RedisConf,
  save: (server: RedisServer) => Promise<unknown>,
  crash: (server: RedisServer) => Promise<unknown> = async () => undefined,
): Promise<{ readonly ended: string | undefined; readonly rotated: string | undefined }> {
  const server = await startRedis({ conf })
  cleanups.push(() => server.stop())
  const logged = openStore({ redisUrl: server.url })
  cleanups.push(() => logged.store.close())
  await untilReady(logged)
  const { store } = logged
  const [ended, rotated] = [newHash(), newHash()]
  const before = { ...newRow(), writeId: 'before' }
  await store.create(ended, before, 600_000)
  await store.create(rotated, before, 600_000)
  await save(server)
  await store.take(ended, 'attempt', 60_000)
  await store.replace(rotated, 'before', { sealedRecord: Buffer.from('rotated'), writeId: 'after' })
  await crash(server)
  await server.restart()
  await untilReady(logged, 10_000)
  return { ended: (await store.read(ended))?.writeId, rotated: (await store.read(rotated))?.writeId }
}

/** Where a server writes what it does. */
async function appendOnlyFile(server: RedisServer): Promise<string> {
  const [, folder = ''] = (await server.client().config('GET', 'dir')) as string[]
  const files = await readdir(join(folder, 'appendonlydir'))
  return join(folder, 'appendonlydir', files.find((name) => name.endsWith('.incr.aof')) ?? '')
}

describe('a crash of Redis', () => {
  it('with an append-only file that is synced at each write revives nothing and loses nothing', async () => {
    const found = await afterCrash({ appendonly: 'yes', appendfsync: 'always' }, async () => undefined)
    expect(found).toEqual({ ended: undefined, rotated: 'after' })
  })

  it('with an append-only file that is synced every second loses nothing, as long as the machine goes on', async () => {
    const found = await afterCrash({ appendonly: 'yes', appendfsync: 'everysec' }, async () => undefined)
    expect(found).toEqual({ ended: undefined, rotated: 'after' })
  })

  it('with one that is synced every second, together with its machine, revives and loses what was not synced yet', async () => {
    let size = 0
    const found = await afterCrash(
      { appendonly: 'yes', appendfsync: 'everysec' },
      async (server) => {
        size = (await stat(await appendOnlyFile(server))).size
      },
      // What the system had not written out is gone with it: the file ends where it was last synced.
      async (server) => {
        const file = await appendOnlyFile(server)
        await server.kill()
        expect((await stat(file)).size).toBeGreaterThan(size)
        await truncate(file, size)
      },
    )
    expect(found).toEqual({ ended: 'before', rotated: 'before' })
  })
})
