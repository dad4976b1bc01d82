import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startBalancer } from '../../support/fronts/balancer.ts'
import { adminOf } from '../../support/gateway/admin.ts'
import { freePort } from '../../support/ports.ts'
import { providerPaths } from '../../support/provider/oidc-provider.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'

let world: World
afterEach(() => world?.stop())

describe.each([
  ['one process', {}],
  ['two workers', { WORKERS: '2' }],
] as const)('SIGTERM to %s', (_what, settings) => {
  test('under load loses no request: a roll-out of two nodes is seen by nobody', async () => {
    world = await startWorld({ gateways: 2, settings: { DRAIN_DELAY: '1', ...settings } })
    const browser = world.browser()
    await world.signIn(browser)
    const balancer = startBalancer({
      ports: world.gateways.map(({ port }) => port),
      path: '/api/orders',
      headers: {
        host: world.baseUrl.host,
        cookie: `${world.sessionCookieName}=${world.sessionCookie(browser)}`,
        'sec-fetch-site': 'same-origin',
      },
      keepAliveClients: 4,
      freshClients: 2,
    })
    await balancer.served(100)
    for (const node of [0, 1]) {
      const stopping = world.gateways[node]
      const replaced = world.replaceGateway(node)
      expect(await stopping?.exited).toBe(0)
      await (await replaced).ready()
      await eventually(() => expect(balancer.nodesInUse()).toEqual(expect.arrayContaining([0, 1])))
      await balancer.served(100)
    }
    const { succeeded, failures } = await balancer.stop()
    expect(failures).toEqual([])
    expect(succeeded).toBeGreaterThan(300)
  }, 150_000)

  test('fails /readyz first and answers everything else for DRAIN_DELAY; then streams end, refreshes finish, and it exits 0', async () => {
    const adminPort = await freePort()
    world = await startWorld({ settings: { DRAIN_DELAY: '2', ADMIN_PORT: `${adminPort}`, ...settings } })
    const admin = adminOf(world, adminPort)
    const [expired] = await world.signInExpired(1)
    const tab = await world.signIn()
    const stream = await tab.stream('/api/events')
    const streamEnded = new Promise((resolve) => stream.once('end', resolve))
    stream.resume()
    const grant = world.provider.gate.hold(providerPaths.token, 'response')
    const waiting = expired?.tab().fetch('/api/orders')
    await grant.arrived

    world.gateways[0]?.terminate()
    await eventually(async () => {
      const { status, body } = await admin.get('/readyz?for=traffic')
      expect(status).toBe(503)
      expect(body).toContain('shutting down')
    })
    const during = await tab.fetch('/api/orders')
    expect(during.status).toBe(200)
    expect(during.headers.connection).toBe('close')
    expect((await admin.scrape()).sum('coatcheck_open_streams', { kind: 'sse' })).toBe(1)

    await streamEnded
    grant.release()
    expect((await waiting)?.status).toBe(200)
    expect(await world.gateways[0]?.exited).toBe(0)
  }, 60_000)

  test('with a SHUTDOWN_GRACE that is shorter than a refresh takes loses no refresh token, although everybody else is cut off', async () => {
    const short = { DRAIN_DELAY: '0', SHUTDOWN_GRACE: '1', PROVIDER_TIMEOUT: '10' }
    world = await startWorld({ settings: { ...short, ...settings } })
    const [expired] = await world.signInExpired(1)
    const tab = expired?.tab()
    const grant = world.provider.gate.hold(providerPaths.token, 'response')
    const cutOff = tab?.fetch('/api/orders').then(
      () => 'answered',
      () => 'cut off',
    )
    await grant.arrived
    const [gateway] = world.gateways
    gateway?.terminate()
    await gateway?.wrote('SHUTDOWN_GRACE is over')
    expect(await cutOff).toBe('cut off')
    grant.release()
    expect(await gateway?.exited).toBe(1)
    await (await world.replaceGateway(0)).ready()
    expect((await tab?.fetch('/api/orders'))?.status).toBe(200)
    expect(world.provider.grants('refresh_token')).toBe(1)
  }, 60_000)

  test('a second one ends it at once, with 1', async () => {
    world = await startWorld({ settings: { DRAIN_DELAY: '600', ...settings } })
    const [gateway] = world.gateways
    gateway?.terminate()
    await gateway?.wrote('shutting down')
    gateway?.terminate()
    expect(await Promise.race([gateway?.exited, sleep(5_000, 'still there')])).toBe(1)
  })
})
