import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectProblem } from '../support/expect-problem.ts'
import { startWorld, type World } from '../support/worlds/world.ts'

let world: World

beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.stop())

test('an API that is down is a 502 that keeps the session and shows nothing internal', async () => {
  const browser = world.browser()
  const tab = await world.signIn(browser)
  const cookie = world.sessionCookie(browser)
  await world.api.stop()
  const answer = await tab.fetch('/api/orders')
  expectProblem(answer, 502, 'upstream_unreachable')
  expect(answer.text()).not.toMatch(/127\.0\.0\.1|localhost|ECONNREFUSED|node:/)
  expect(world.sessionCookie(browser)).toBe(cookie)
  await world.api.start()
  expect((await tab.fetch('/api/orders')).status).toBe(200)
})
