import { expect } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { newHash, newRow, untilReady } from '../../../support/redis/redis-stores.ts'
import type { Tested } from './tested.ts'

const lifeMs = 600_000
const recoveryMs = 30_000
/** Everything is answered within two seconds; a busy machine may look a second later. */
const busyAnswerMs = 3_000

/** The last cases of a group: afterwards its first master is dead. */
export function failoverCases(tested: Tested): void {
  tested.claim(
    'a failover',
    'loses no session in a failover, and goes on at the new master with its feed',
    async ({ masters: [first], replaceDead }) => {
      const logged = await tested.open()
      const { store } = logged
      const hs = Array.from({ length: 40 }, newHash)
      await Promise.all(hs.map((h) => store.create(h, newRow(), lifeMs)))
      await first?.client().wait(1, 5_000)
      const epoch = store.changes.epoch()
      await replaceDead?.()
      await first?.kill()
      // Not isLive(): a busy machine may look only when the replica has taken over already.
      await eventually(() => expect(store.changes.epoch()).toBeGreaterThan(epoch))
      const outcomes = new Set<string>()
      await eventually(async () => {
        for (const h of hs) {
          const startedMs = performance.now()
          const outcome = await store.touch(h, 2_000, lifeMs).then(String, ({ code }) => String(code))
          outcomes.add(outcome)
          expect(performance.now() - startedMs).toBeLessThan(busyAnswerMs)
          expect(outcome).toBe('true')
        }
      }, recoveryMs)
      // "false" would be a session that was lost.
      expect(['session_store_unavailable', 'true']).toEqual(expect.arrayContaining([...outcomes]))
      await untilReady(logged, recoveryMs)
      const waiting = new Set(hs)
      const stop = store.changes.subscribe((h) => waiting.delete(h ?? ''))
      await Promise.all(hs.map((h) => store.delete(h)))
      await eventually(() => expect(waiting.size).toBe(0))
      stop()
    },
  )
}
