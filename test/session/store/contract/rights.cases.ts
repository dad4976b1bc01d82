import { expect } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import type { RedisServer } from '../../../support/redis/redis.ts'
import {
  expectUnavailable,
  newHash,
  newRow,
  operations,
  untilReady,
} from '../../../support/redis/redis-stores.ts'
import type { Tested } from './tested.ts'

/** Of a command, of commands within scripts, and of the feed. */
const rights = ['hmget', 'hget', 'hset', 'zadd', 'set', 'incr', 'exists', 'get', 'del', 'client|tracking']
const trackingHint = 'Redis does not allow CLIENT TRACKING to us: sessions are not cached'
/** Tracking is asked for again every second. */
const trackingBackMs = 15_000

const change = (
  servers: readonly RedisServer[],
  sign: '+' | '-',
  changed: readonly string[],
): Promise<unknown> =>
  Promise.all(
    servers.map((server) =>
      server.client().call('ACL', 'SETUSER', 'default', ...changed.map((right) => `${sign}${right}`)),
    ),
  )

/** What happens when the rights of our user change while everything runs. */
export function rightsCases(tested: Tested): void {
  tested.claim(
    'rights withdrawn',
    'is one outage while rights are withdrawn, works when they are given back, with no traffic, and leaves nothing behind',
    async ({ servers, masters }) => {
      const logged = await tested.open()
      const { store, messages } = logged
      try {
        await change(servers, '-', rights)
        await Promise.all(masters.map((master) => master.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub')))
        for (let round = 0; round < 10; round += 1) {
          await expectUnavailable(store.read(newHash()))
          await expectUnavailable(store.create(newHash(), newRow(), 5_000))
          expect(store.status()).toMatchObject({ ready: false, reason: 'Redis denies our user a command.' })
          await new Promise((resolve) => setTimeout(resolve, 100))
        }
        await Promise.allSettled(operations.map(([, operate]) => operate(store, newHash())))
        await eventually(() => expect(messages).toContain(trackingHint))
        await change(servers, '+', rights.slice(1))
        // Longer than it takes to find out, if there were something to find out.
        await new Promise((resolve) => setTimeout(resolve, 1_200))
        expect(store.status().ready).toBe(false)
      } finally {
        await change(servers, '+', rights)
      }
      await eventually(() => expect(store.status().ready).toBe(true), 3_000)
      await untilReady(logged, trackingBackMs)
      expect([...messages].sort()).toEqual(
        [
          trackingHint,
          'Redis allows CLIENT TRACKING again: sessions are cached',
          'session store available again',
          'session store unavailable',
        ].sort(),
      )
      // What a trial writes lives for a second.
      await eventually(async () => {
        const keys = await Promise.all(masters.map((master) => master.client().keys('*trial*')))
        expect(keys.flat()).toEqual([])
      })
    },
  )
}
