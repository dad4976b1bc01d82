import { once } from 'node:events'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { createBatch } from '../../../../src/session/store/redis/batch.ts'
import { connectSingle } from '../../../../src/session/store/redis/connection/connection.ts'

let client: Redis | undefined

afterEach(() => client?.disconnect())

/** The writes of the connection from now on. */
function countWrites({ stream }: Redis): () => number {
  let count = 0
  const { write, writev } = { write: stream._write, writev: stream._writev }
  stream._write = (...args) => {
    count += 1
    write.apply(stream, args)
  }
  stream._writev = (...args) => {
    count += 1
    writev?.apply(stream, args)
  }
  return () => count
}

describe('commands of one turn of the event loop', () => {
  it('leave in one write, and those of the next in another', async () => {
    client = connectSingle({ redisUrl: inject('redisUrl') })
    await once(client, 'ready')
    const batch = createBatch(client)
    const writes = countWrites(client)
    const ask = (text: string): Promise<unknown> => {
      batch()
      return client?.echo(text) ?? Promise.reject()
    }
    expect(await Promise.all(['a', 'b', 'c'].map(ask))).toEqual(['a', 'b', 'c'])
    expect(writes()).toBe(1)
    expect(await ask('d')).toBe('d')
    expect(writes()).toBe(2)
  })

  it('may be sent before there is a connection', () => {
    client = new Redis({ lazyConnect: true })
    expect(createBatch(client)).not.toThrow()
  })
})
