import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { type Channel, openChannel } from '../../../../../src/session/store/redis/connection/channel.ts'
import { connectSingle } from '../../../../../src/session/store/redis/connection/connection.ts'
import { eventually } from '../../../../support/eventually.ts'

let channel: Channel
let turns: number

beforeEach(() => {
  turns = 0
  const turned = () => {
    turns += 1
  }
  const events = { changed: () => undefined, turned, forbidden: () => undefined }
  channel = openChannel(connectSingle({ redisUrl: inject('redisUrl') }), events)
})

afterEach(() => channel.close())

describe('a channel that is renewed', () => {
  it('is lost at once and comes back on another connection', async () => {
    await eventually(() => expect(channel.isArmed()).toBe(true))
    channel.renew()
    expect([channel.isArmed(), turns]).toEqual([false, 2])
    await eventually(() => expect([channel.isArmed(), channel.isProved(), turns]).toEqual([true, true, 3]))
  })

  it('comes back whenever that was, while it connects too', async () => {
    for (let turn = 0; turn < 200; turn += 1) {
      channel.renew()
      await nextTurn()
    }
    await eventually(() => expect(channel.isArmed()).toBe(true))
  })
})
