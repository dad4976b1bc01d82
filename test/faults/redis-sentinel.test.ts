import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type SentinelGroup, startSentinelGroup } from '../support/redis-groups.ts'
import { type LoggedStore, newHash, newRow, openStore, untilReady } from './redis-stores.ts'

const setupMs = 60_000

describe('behind Sentinels, the store', () => {
  let group: SentinelGroup
  let logged: LoggedStore

  beforeAll(async () => {
    group = await startSentinelGroup()
    const redisSentinels = group.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }))
    logged = openStore({ redisSentinels, redisSentinelMaster: 'mymaster' })
    await untilReady(logged, setupMs)
  }, setupMs)

  afterAll(async () => {
    await logged?.store.close()
    await group?.stop()
  })

  it('loses no session in a failover, and goes on at the new master with its feed', async () => {
    const { store } = logged
    const h = newHash()
    const row = newRow()
    await store.create(h, row, 600_000)
    await group.master.client().wait(1, 5_000)
    const epoch = store.changes.epoch()
    await group.master.kill()
    const outcomes = new Set<string>()
    await eventually(async () => {
      // While it lasts, the answer is "unavailable" or the session: never "no session".
      const outcome = await store.read(h).then(
        (found) => (found === undefined ? 'none' : 'found'),
        (error: { code?: string }) => String(error.code),
      )
      outcomes.add(outcome)
      expect(outcome).toBe('found')
      expect(await store.touch(h, 2_000, 600_000)).toBe(true)
    }, 30_000)
    expect([...outcomes].sort()).toEqual(['found', 'session_store_unavailable'])
    await untilReady(logged, 10_000)
    expect(store.changes.epoch()).toBeGreaterThan(epoch)
    const heard = new Set<string | undefined>()
    store.changes.subscribe((changed) => heard.add(changed))
    await group.replica.client().del(`coatcheck:session:{${h}}`)
    await eventually(() => expect(heard).toContain(h))
    expect(await store.read(h)).toBeUndefined()
  }, 60_000)
})
