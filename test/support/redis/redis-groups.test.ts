import { expect, test } from 'vitest'
import type { RedisServer } from './redis.ts'
import { startGroup } from './redis-groups.ts'

const hasEnded = ({ process }: RedisServer): boolean =>
  process.exitCode !== null || process.signalCode !== null

test('a group that fails half-way leaves no server running, not even one that was still starting', async () => {
  const starts: Promise<RedisServer>[] = []
  const failing = startGroup(async (start) => {
    starts.push(start({}), start({}))
    await starts[0]
    starts.push(start({}))
    throw new Error('the group does not form')
  })
  await expect(failing).rejects.toThrow('the group does not form')
  const servers = await Promise.all(starts)
  expect(servers.map(hasEnded)).toEqual([true, true, true])
})
