import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { type SentinelGroup, startSentinelGroup } from '../../support/redis/redis-groups.ts'
import { type LoggedStore, newHash, newRow, openStore, untilReady } from '../../support/redis/redis-stores.ts'

const setupMs = 60_000

describe('behind Sentinels with users, the store', () => {
  const asOurs = { redisSentinelUsername: 'coatcheck', redisSentinelPassword: 'a-password-of-sentinels' }
  const opened: LoggedStore[] = []
  let group: SentinelGroup

  beforeAll(async () => {
    const sentinelConf = {
      user: [
        // For the Sentinels among themselves, and the harness.
        'default on nopass ~* &* +@all -sentinel|get-master-addr-by-name',
        `coatcheck on >${asOurs.redisSentinelPassword} resetchannels -@all +client|setname +info +sentinel|get-master-addr-by-name +sentinel|sentinels`,
      ],
    }
    group = await startSentinelGroup({ sentinelConf })
  }, setupMs)

  afterAll(async () => {
    await Promise.all(opened.map(({ store }) => store.close()))
    await group?.stop()
  })

  const openAs = (user: Partial<typeof asOurs>): LoggedStore => {
    const redisSentinels = group.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }))
    const logged = openStore({ redisSentinels, redisSentinelMaster: 'mymaster', ...user })
    opened.push(logged)
    return logged
  }

  it('finds the master as its user, with no more rights than these', async () => {
    const logged = openAs(asOurs)
    await untilReady(logged, setupMs)
    expect(await logged.store.create(newHash(), newRow(), 5_000)).toBe(true)
  })

  it(
    'without the name, or with a wrong password, finds none and says so without the password',
    async () => {
      const refused = [
        openAs({}),
        openAs({ redisSentinelPassword: asOurs.redisSentinelPassword }),
        openAs({ ...asOurs, redisSentinelPassword: 'wrong' }),
      ]
      for (const logged of refused) {
        await eventually(() => expect(logged.messages).toContain('session store unavailable'), 10_000)
        expect(logged.store.status()).toMatchObject({ ready: false })
        expect(JSON.stringify(logged.messages)).not.toContain('a-password')
      }
    },
    setupMs,
  )
})

describe('a fail-over to a replica that is behind', () => {
  it('revives a session that was ended meanwhile, loses a login, and brings back a spent refresh token', async () => {
    const group = await startSentinelGroup()
    const redisSentinels = group.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }))
    const { store, ...logged } = openStore({ redisSentinels, redisSentinelMaster: 'mymaster' })
    try {
      await untilReady({ store, ...logged }, setupMs)
      const [ended, rotated, begun] = [newHash(), newHash(), newHash()]
      const before = { ...newRow(), writeId: 'before' }
      await store.create(ended, before, 600_000)
      await store.create(rotated, before, 600_000)
      await group.master.client().wait(1, 5_000)
      // The replica hears nothing any more, as when its link is slow at the wrong moment.
      const master = group.master.client()
      await master.acl('SETUSER', 'default', '-psync', '-sync')
      await master.client('KILL', 'TYPE', 'REPLICA')
      await store.take(ended, 'attempt', 60_000)
      await store.replace(rotated, 'before', { sealedRecord: Buffer.from('rotated'), writeId: 'after' })
      await store.create(begun, before, 600_000)
      await group.master.kill()
      const found = async () => {
        const rows = await Promise.all([ended, rotated, begun].map((h) => store.read(h)))
        return rows.map((row) => row?.writeId)
      }
      await eventually(async () => expect(await found()).toEqual(['before', 'before', undefined]), 30_000)
      await untilReady({ store, ...logged }, 10_000)
    } finally {
      await store.close()
      await group.stop()
    }
  }, 90_000)
})
