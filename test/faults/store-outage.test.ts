import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { expectPage, expectProblem } from '../support/expect-problem.ts'
import { providerPaths } from '../support/provider/oidc-provider.ts'
import { startWorld, type World } from '../support/worlds/world.ts'

let world: World
afterEach(() => world.stop())

/** DESIGN: a dead store is told within this, milliseconds. */
const toldWithinMs = 2_000

async function timed<T>(work: () => Promise<T>): Promise<T> {
  const beganMs = performance.now()
  const result = await work()
  expect(performance.now() - beganMs).toBeLessThan(toldWithinMs)
  return result
}

async function ready(): Promise<number> {
  return (await fetch(`http://127.0.0.1:${world.gateways[0]?.port}/readyz`)).status
}

describe.each(['frozen', 'killed'] as const)('while Redis is %s', (how) => {
  test('everything that needs a session says 503 in time, the cookie stays, and works again afterwards', async () => {
    // Written through to disk, so that the restarted server has what the killed one had.
    world = await startWorld({ redisConf: { appendonly: 'yes', appendfsync: 'always' } })
    const browser = world.browser()
    const tab = await world.signIn(browser)
    const cookie = world.sessionCookie(browser)
    if (how === 'frozen') world.redis.freeze()
    else await world.redis.kill()

    // A cached session may be served until the gateway knows that the channel is lost.
    await eventually(async () => {
      expectProblem(await timed(() => tab.fetch('/api/orders')), 503, 'session_store_unavailable')
    })
    expectProblem(await timed(() => tab.fetch('/session')), 503, 'session_store_unavailable')
    const logout = await timed(() =>
      tab.fetch('/logout', { method: 'POST', headers: { accept: 'application/json' } }),
    )
    expectProblem(logout, 503, 'session_store_unavailable')
    const login = await browser.tab().open('/login', { stopBefore: (url) => url.pathname === '/callback' })
    if (login.pending === undefined) throw new Error('the login never came to the callback')
    const callback = login.pending
    expectPage((await timed(() => browser.tab().resume(callback))).answer, 503, 'session_store_unavailable')
    expect(world.sessionCookie(browser)).toBe(cookie)
    await eventually(async () => expect(await ready()).toBe(503))
    expect((await fetch(`http://127.0.0.1:${world.gateways[0]?.port}/livez`)).status).toBe(200)

    if (how === 'frozen') world.redis.thaw()
    else await world.restartRedis()
    await eventually(async () => expect((await tab.fetch('/api/orders')).status).toBe(200), 10_000)
    await eventually(async () => expect(await ready()).toBe(200))
    expect(world.sessionCookie(browser)).toBe(cookie)
  }, 60_000)
})

test('a Redis that comes back empty ends sessions, and a new login works', async () => {
  world = await startWorld()
  const browser = world.browser()
  const tab = await world.signIn(browser)
  await world.restartRedis()
  await eventually(async () => expectProblem(await tab.fetch('/api/orders'), 401, 'session_expired'), 10_000)
  expect((await (await world.signIn(browser)).fetch('/api/orders')).status).toBe(200)
}, 30_000)

test('a refreshed token is not lost when Redis freezes before it is written', async () => {
  world = await startWorld()
  const [browser] = await world.signInExpired(1)
  if (browser === undefined) throw new Error('no browser')
  const tab = browser.tab()
  const hold = world.provider.gate.hold(providerPaths.token, 'response')
  const call = tab.fetch('/api/orders')
  await hold.arrived
  world.redis.freeze()
  hold.release()
  expectProblem(await call, 503, 'session_store_unavailable')
  world.redis.thaw()
  await eventually(async () => expect((await tab.fetch('/api/orders')).status).toBe(200), 15_000)
  expect(world.provider.grants('refresh_token')).toBe(1)
}, 60_000)

test('a gateway that starts without Redis runs, says so, and recovers', async () => {
  world = await startWorld()
  await world.redis.kill()
  await world.gateways[0]?.stop()
  await world.replaceGateway(0)
  await eventually(async () => expect(await ready()).toBe(503))
  await world.restartRedis()
  await eventually(async () => expect(await ready()).toBe(200), 10_000)
  expect((await (await world.signIn()).fetch('/api/orders')).status).toBe(200)
}, 60_000)
