import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { alice, providerPaths } from '../../support/provider/oidc-provider.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'

let world: World

beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.stop())

/** Sign-ins are told in whole seconds: from the next one on, those until now are stale. */
async function makeSignInsStale(): Promise<void> {
  const nextSecond = Math.floor(Date.now() / 1_000) + 1
  await sleep(nextSecond * 1_000 - Date.now())
  world.api.signedInSince = nextSecond
}

test('an API that wants a fresh sign-in gets one, at the address that the answer names', async () => {
  const tab = await world.signIn()
  expect((await tab.fetch('/api/fresh')).status).toBe(200)
  await makeSignInsStale()
  const refreshes = world.provider.grants('refresh_token')

  const refused = await tab.fetch('/api/fresh')
  expect(refused.status).toBe(401)
  expect(refused.json()).toMatchObject({ code: 'step_up_required', loginUrl: '/login?max_age=0' })
  expect(refused.headers['www-authenticate']).toContain('error="insufficient_user_authentication"')
  expect(refused.setCookies).toEqual([])
  // Neither the session nor its tokens are at fault.
  expect((await tab.fetch('/api/orders')).status).toBe(200)
  expect(world.provider.grants('refresh_token')).toBe(refreshes)

  const { url, hops } = await tab.follow(`${refused.json().loginUrl}&returnTo=/welcome`)
  expect(url.pathname).toBe('/welcome')
  const authorization = hops.find((hop) => hop.url.pathname === providerPaths.authorize)
  expect(authorization?.url.searchParams.get('max_age')).toBe('0')
  expect((await tab.fetch('/api/fresh')).json()).toMatchObject({ sub: alice.id })
  expect(await world.sessionKeys()).toHaveLength(1)
})

test('a plain sign-in does not do: the provider remembers its user, and the API sees that', async () => {
  const tab = await world.signIn()
  await makeSignInsStale()
  expect((await tab.open('/login?returnTo=/welcome')).url.pathname).toBe('/welcome')
  expect((await tab.fetch('/api/fresh')).json()).toMatchObject({ code: 'step_up_required' })
})
