import { afterEach, expect, test } from 'vitest'
import type { Tab } from '../support/browser-client.ts'
import { expectProblem } from '../support/expect-problem.ts'
import { providerPaths } from '../support/oidc-provider.ts'
import { startWorld, type World } from '../support/world.ts'
import { scanWorld } from '../support/world-scan.ts'

let world: World
// Stopping a world scans it, too: every other flow test fails in the same way when it leaks.
afterEach(() => world.stop())

test('no token, code, verifier, secret or cookie shows in any answer, address, log line or Redis value', async () => {
  world = await startWorld()
  const [browser, second] = await world.signInExpired(2)
  if (browser === undefined || second === undefined) throw new Error('no browser')
  const tab = browser.tab()
  expect((await tab.fetch('/api/orders')).status).toBe(200)
  await tab.fetch('/session')
  await tab.fetch('/sessions')
  await provokeFaults(world, second.tab())
  await tab.submit('/logout', {})
  const scan = scanWorld(world)
  expect(scan.kinds()).toEqual(
    new Set([
      'access token',
      'refresh token',
      'id token',
      'authorization code',
      'code verifier',
      'client secret',
      'session secret',
      'cookie value',
    ]),
  )
  expect(world.redisContent().includes('coatcheck:session:')).toBe(true)
  expect(world.gateways[0]?.log().length).toBeGreaterThan(5)
  expect(scan.leaks()).toEqual([])
})

/** Errors are where secrets slip out: wrong answers of the provider, refused requests, an API that is down. */
async function provokeFaults({ provider, api, browser, signIn }: World, tab: Tab): Promise<void> {
  for (const [status, body] of [
    [500, { error: 'server_error' }],
    [401, { error: 'access_denied' }],
    [200, { token_type: 'DPoP', access_token: provider.lastTokens().accessToken }],
  ] as const) {
    const stop = provider.gate.answer(providerPaths.token, status, body)
    await tab.fetch('/api/orders')
    await browser().tab().open('/login')
    stop()
  }
  const stopped = await browser()
    .tab()
    .open('/login', { stopBefore: (url) => url.pathname === '/callback' })
  await browser().tab().open(stopped.url.href)
  const other = await signIn(browser())
  await api.stop()
  expectProblem(await other.fetch('/api/orders'), 502, 'upstream_unreachable')
  await api.start()
}
