import { afterEach, expect, test } from 'vitest'
import { type OtlpReceiver, startOtlpReceiver } from '../../support/api/otlp-receiver.ts'
import type { Tab } from '../../support/browser/browser-client.ts'
import { expectProblem } from '../../support/expect-problem.ts'
import { adminOf } from '../../support/gateway/admin.ts'
import { freePort } from '../../support/ports.ts'
import { providerPaths } from '../../support/provider/oidc-provider.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'
import { scanWorld } from '../../support/worlds/world-scan.ts'

let world: World
let receiver: OtlpReceiver
// Stopping a world scans it, too: every other flow test fails in the same way when it leaks.
afterEach(async () => {
  await world?.stop()
  await receiver?.stop()
})

test('no token, code, verifier, secret or cookie shows in any answer, address, log line, metric, trace or Redis value', async () => {
  const adminPort = await freePort()
  receiver = await startOtlpReceiver()
  world = await startWorld({
    settings: { ADMIN_PORT: `${adminPort}`, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url },
  })
  const [browser, second] = await world.signInExpired(2)
  if (browser === undefined || second === undefined) throw new Error('no browser')
  const tab = browser.tab()
  expect((await tab.fetch('/api/orders')).status).toBe(200)
  await tab.fetch('/session')
  await tab.fetch('/sessions')
  await provokeFaults(world, second.tab())
  await tab.submit('/logout', {})
  await collectTelemetry(world, adminPort, receiver)
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

/** The whole of it: the last traces are sent when the gateway ends. */
async function collectTelemetry(
  { collected, gateways }: World,
  adminPort: number,
  traces: OtlpReceiver,
): Promise<void> {
  const admin = adminOf({ collected }, adminPort)
  for (const path of ['/metrics', '/livez', '/readyz', '/callback']) await admin.get(path)
  await gateways[0]?.stop()
  for (const [at, body] of traces.bodies.entries()) collected.set(`traces ${at}`, body)
  const names = new Set(traces.spans.map(({ name }) => name))
  expect([...names]).toEqual(expect.arrayContaining(['GET /callback', 'GET /api', 'POST /logout']))
}

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
