import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Browser } from '../../support/browser/browser-client.ts'
import { eventually } from '../../support/eventually.ts'
import { expectProblem } from '../../support/expect-problem.ts'
import { providerPaths } from '../../support/provider/oidc-provider.ts'
import { placements } from '../../support/worlds/placement.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'

describe.each(placements)('a refresh on two gateways, %s', (placement) => {
  let world: World
  let grantsBefore: number
  let expired: Browser[]

  beforeAll(async () => {
    world = await startWorld({ gateways: 2, placement })
    expired = [...(await world.signInExpired(9))]
  })
  beforeEach(() => {
    grantsBefore = world.provider.grants('refresh_token')
  })
  afterAll(() => world.stop())

  /** A browser whose access token has expired. */
  function takeExpired(): Browser {
    const browser = expired.pop()
    if (browser === undefined) throw new Error('sign in more browsers')
    return browser
  }

  const newGrants = (): number => world.provider.grants('refresh_token') - grantsBefore

  test('happens once for fifty parallel calls with an expired token, and all fifty succeed', async () => {
    const tab = world.sameSession(takeExpired(), { via: 'in turn' }).tab()
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => tab.fetch(`/api/parallel/${index}`)),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200))
    expect(newGrants()).toBe(1)
  })

  test('happens once for two tabs, one on each gateway', async () => {
    const browser = world.sameSession(takeExpired(), { via: 'in turn' })
    const answers = await Promise.all([browser.tab().fetch('/api/a'), browser.tab().fetch('/api/b')])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(newGrants()).toBe(1)
  })

  test('goes on when the client that needed it has left, and is not repeated', async () => {
    const tab = takeExpired().tab()
    const hold = world.provider.gate.hold(providerPaths.token, 'response')
    const leaving = new AbortController()
    const call = tab.fetch('/api/orders', { signal: leaving.signal })
    await hold.arrived
    leaving.abort()
    await expect(call).rejects.toThrow()
    hold.release()
    expect((await tab.fetch('/api/orders')).status).toBe(200)
    expect(newGrants()).toBe(1)
  })

  test('that a logout overtakes stores nothing, and what it obtained is revoked', async () => {
    const browser = takeExpired()
    const tab = browser.tab()
    const sessionsBefore = await world.sessionKeys()
    const hold = world.provider.gate.hold(providerPaths.token, 'response')
    const call = tab.fetch('/api/orders')
    await hold.arrived
    const { refreshToken } = world.provider.lastTokens()
    const logout = await tab.fetch('/logout', { method: 'POST', headers: { accept: 'application/json' } })
    expect(logout.status).toBe(200)
    hold.release()
    expect((await call).status).toBe(401)
    expect(await world.sessionKeys()).toHaveLength(sessionsBefore.length - 1)
    await eventually(async () => expect(await world.provider.tryRefresh(refreshToken)).toBe(403))
  })

  test('that a logout on the other gateway overtakes stores nothing', async () => {
    const browser = takeExpired()
    const tab = browser.tab()
    const hold = world.provider.gate.hold(providerPaths.token, 'response')
    const call = tab.fetch('/api/orders')
    await hold.arrived
    const elsewhere = world.sameSession(browser, { via: 1 })
    const ended = await elsewhere
      .tab()
      .fetch('/logout', { method: 'POST', headers: { accept: 'application/json' } })
    expect(ended.status).toBe(200)
    const left = await world.sessionKeys()
    hold.release()
    expect((await call).status).toBe(401)
    expect(await world.sessionKeys()).toEqual(left)
  })

  test('that the provider refuses ends the session, for every call that waited alike', async () => {
    const tab = world.sameSession(takeExpired(), { via: 'in turn' }).tab()
    const stop = world.provider.gate.answer(providerPaths.token, 403, { error: 'invalid_grant' })
    const [first, second] = await Promise.all([tab.fetch('/api/orders'), tab.fetch('/api/orders')])
    stop()
    expect(first.status).toBe(401)
    expect(second.status).toBe(401)
    expect([first.json().code, second.json().code]).toContain('refresh_refused')
    expect((await tab.fetch('/api/orders')).status).toBe(401)
    expect((await tab.fetch('/session')).json()).toMatchObject({ authenticated: false })
  })

  test('that fails because of the provider leaves the session alone and works later', async () => {
    const tab = takeExpired().tab()
    const stop = world.provider.gate.answer(providerPaths.token, 503, {})
    const failed = await tab.fetch('/api/orders')
    expectProblem(failed, 503, 'provider_unavailable')
    expect(Number(failed.headers['retry-after'])).toBeGreaterThan(0)
    stop()
    await eventually(async () => expect((await tab.fetch('/api/orders')).status).toBe(200), 10_000)
  })

  test("that fails because of the gateway's own registration keeps the session and says whose fault it is", async () => {
    const tab = takeExpired().tab()
    const stop = world.provider.gate.answer(providerPaths.token, 401, { error: 'access_denied' })
    expectProblem(await tab.fetch('/api/orders'), 502, 'provider_rejected')
    stop()
    await eventually(async () => expect((await tab.fetch('/api/orders')).status).toBe(200), 10_000)
  })

  test('may be asked for by the page, counts as activity and answers like /session', async () => {
    const tab = takeExpired().tab()
    const answer = await tab.fetch('/session/refresh', { method: 'POST' })
    expect(answer.status).toBe(200)
    expect(answer.json()).toMatchObject({ authenticated: true, expiresIn: expect.any(Number) })
    expect(newGrants()).toBe(1)
    expect((await tab.fetch('/api/orders')).status).toBe(200)
    expect(newGrants()).toBe(1)
  })
})

describe('a refresh whose gateway goes away', () => {
  let world: World

  beforeEach(async () => {
    world = await startWorld({ gateways: 2, settings: { PROVIDER_TIMEOUT: '2' } })
  })
  afterEach(() => world.stop())

  test('is waited for by SIGTERM, so that the rotated token is not lost', async () => {
    const [gateway] = world.gateways
    if (gateway === undefined) throw new Error('no gateway')
    const [browser] = await world.signInExpired(1)
    const tab = browser?.tab()
    if (tab === undefined) throw new Error('no browser')
    const hold = world.provider.gate.hold(providerPaths.token, 'response')
    const leaving = new AbortController()
    const call = tab.fetch('/api/orders', { signal: leaving.signal })
    await hold.arrived
    leaving.abort()
    await expect(call).rejects.toThrow()
    gateway.terminate()
    await gateway.wrote('shutting down')
    hold.release()
    expect(await gateway.exited).toBe(0)
    await (await world.replaceGateway(0)).ready()
    expect((await tab.fetch('/api/orders')).status).toBe(200)
    expect(world.provider.grants('refresh_token')).toBe(1)
  })

  test('is taken over by another gateway when its own was killed', async () => {
    const [browser] = await world.signInExpired(1)
    if (browser === undefined) throw new Error('no browser')
    const tab = browser.tab()
    const hold = world.provider.gate.hold(providerPaths.token, 'request')
    const call = tab.fetch('/api/orders').catch(() => undefined)
    await hold.arrived
    await world.gateways[0]?.kill()
    await call
    hold.drop()
    const other = world.sameSession(browser, { via: 1 })
    await eventually(async () => expect((await other.tab().fetch('/api/orders')).status).toBe(200), 30_000)
    expect(world.provider.grants('refresh_token')).toBe(1)
  }, 60_000)
})
