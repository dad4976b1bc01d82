import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectProblem } from '../../support/expect-problem.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'

let world: World

beforeAll(async () => {
  world = await startWorld({ settings: { SESSION_IDLE_TIMEOUT: '10', SESSION_MAX_LIFETIME: '14' } })
})
afterAll(() => world.stop())

async function secondsUntilEnded(poll: () => Promise<boolean>): Promise<number> {
  const beganMs = performance.now()
  while (await poll()) await sleep(250)
  return (performance.now() - beganMs) / 1_000
}

test.concurrent('polling /session keeps nothing alive', async () => {
  const tab = await world.signIn()
  const lived = await secondsUntilEnded(
    async () => (await tab.fetch('/session')).json().authenticated === true,
  )
  expect(lived).toBeGreaterThan(8)
  expect(lived).toBeLessThan(10.6)
  expectProblem(await tab.fetch('/api/orders'), 401, 'session_expired')
}, 30_000)

test.concurrent('calls of the API keep the session, but not beyond its absolute end', async () => {
  const tab = await world.signIn()
  const lived = await secondsUntilEnded(async () => (await tab.fetch('/api/orders')).status === 200)
  expect(lived).toBeGreaterThan(13)
  expect(lived).toBeLessThan(14.6)
}, 30_000)
