import { afterEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { expectPage } from '../support/expect-problem.ts'
import { startWorld, type World } from '../support/worlds/world.ts'

let world: World
afterEach(() => world.stop())

const probe = async (path: string): Promise<number> =>
  (await fetch(`http://127.0.0.1:${world.gateways[0]?.port}${path}`)).status

test('a gateway that starts without its provider runs, is not ready, and recovers by itself', async () => {
  world = await startWorld({ providerUp: false })
  expect(await probe('/livez')).toBe(200)
  expect(await probe('/readyz')).toBe(503)
  const { answer } = await world.browser().tab().open('/login')
  expectPage(answer, 503, 'provider_unavailable')
  expect(answer.text()).not.toMatch(/127\.0\.0\.1|localhost:|ECONNREFUSED/)
  await world.provider.gate.up()
  await eventually(async () => expect(await probe('/readyz')).toBe(200), 30_000)
  expect((await (await world.signIn()).fetch('/api/orders')).status).toBe(200)
}, 60_000)

test('a provider that goes away later does not touch calls whose token is usable', async () => {
  world = await startWorld()
  const browser = world.browser()
  const tab = await world.signIn(browser)
  // Once with the provider there, so that the API has its keys.
  expect((await tab.fetch('/api/orders')).status).toBe(200)
  await world.provider.gate.down()
  const answers = await Promise.all(Array.from({ length: 20 }, () => tab.fetch('/api/orders')))
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
  expect((await tab.fetch('/session')).json()).toMatchObject({ authenticated: true })
  await world.provider.gate.up()
})
