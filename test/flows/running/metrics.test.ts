import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { errorCodes } from '../../../src/errors/codes.ts'
import { storeOperations } from '../../../src/session/store/redis/operations.ts'

import { gatewaySeries, processSeries, supervisorSeries } from '../../../src/telemetry/measures/series.ts'
import { eventually } from '../../support/eventually.ts'
import { exchange } from '../../support/exchange.ts'
import { adminOf, type Scrape } from '../../support/gateway/admin.ts'
import { startGatewayProcess } from '../../support/gateway/gateway-process.ts'
import { freePort } from '../../support/ports.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'

/** Turns up in everything that a client can choose. */
const marker = 'chosen-by-a-client'

const ownPaths = [
  '/login',
  '/callback',
  '/session',
  '/session/refresh',
  '/sessions',
  '/logout',
  '/logout/callback',
  '/backchannel-logout',
  '/frontchannel-logout',
  '/livez',
  '/readyz',
]
const codes: readonly string[] = errorCodes

/** All values that a label may ever have. */
const closedSets: Readonly<Record<string, readonly string[]>> = {
  route: [...ownPaths, '/api', 'other'],
  status: ['2xx', '3xx', '4xx', '5xx'],
  code: codes,
  kind: ['browser', 'backchannel', 'frontchannel', 'websocket', 'sse'],
  result: ['hit', 'miss', 'bypass'],
  state: ['running', 'answering'],
  operation: ['discovery', 'keys', 'token', 'revocation', ...storeOperations],
  outcome: [
    ...codes,
    ...'started completed refreshed unusable refused rejected unavailable invalid ended no_session'.split(
      ' ',
    ),
    ...'unknown replayed failed ok error 2xx 3xx 4xx 5xx browser_gone cut'.split(' '),
  ],
}

/** Nothing that it needs is there: the start waits for none of it. */
const unreachableEnv = {
  ISSUER_URL: 'http://127.0.0.1:1/',
  CLIENT_ID: 'client',
  CLIENT_SECRET: 'secret-of-the-client',
  API_AUDIENCE: 'https://api.example.test',
  API_URL: 'http://127.0.0.1:1',
  BASE_URL: 'https://app.example.test',
  SESSION_SECRET: '7d4c1b0a9f8e7d6c5b4a39281706f5e4',
  REDIS_URL: 'redis://127.0.0.1:1',
  LOG_LEVEL: 'silent',
}

describe.each([
  ['one process', {}, 1],
  ['two workers', { WORKERS: '2' }, 2],
] as const)('the metrics of %s', (_what, settings, workers) => {
  let world: World
  let scrape: Scrape
  let adminPort: number
  let admin: ReturnType<typeof adminOf>

  beforeAll(async () => {
    adminPort = await freePort()
    world = await startWorld({ settings: { ADMIN_PORT: `${adminPort}`, ...settings } })
    admin = adminOf(world, adminPort)
    await runFlows(world)
    scrape = await admin.scrape()
  })
  afterAll(() => world?.stop())

  test('hold every documented series after real flows', () => {
    const documented = [
      ...Object.values(gatewaySeries),
      ...processSeries,
      ...(workers > 1 ? Object.values(supervisorSeries) : []),
    ]
    // Of a garbage collection that has not happened yet there is a heading only.
    const announced = new Set(processSeries.map(({ name }) => name))
    const missing = documented.filter(({ name, kind }) => {
      const sampleName = kind === 'histogram' ? `${name}_count` : name
      if (announced.has(name) && scrape.text.includes(`# TYPE ${name} `)) return false
      return !scrape.samples.some((sample) => sample.name === sampleName)
    })
    expect(missing.map(({ name }) => name)).toEqual([])
  })

  test('document every series of the gateway', () => {
    const documented = new Set<string>(
      [...Object.values(gatewaySeries), ...Object.values(supervisorSeries)].map(({ name }) => name),
    )
    const exposed = [...scrape.text.matchAll(/^# TYPE (coatcheck_\w+)/gm)].map(([, name]) => name ?? '')
    expect(exposed.filter((name) => !documented.has(name))).toEqual([])
  })

  test('have no label value that a client chose', () => {
    expect(scrape.text).not.toContain(marker)
    const strange = scrape.samples
      .filter(({ name }) => name.startsWith('coatcheck_'))
      .flatMap(({ name, labels }) => Object.entries(labels).map(([label, value]) => ({ name, label, value })))
      .filter(({ label, value }) => label !== 'le' && closedSets[label]?.includes(value) !== true)
    expect(strange).toEqual([])
  })

  test('count what happened, once', () => {
    const { sum } = scrape
    expect(sum('coatcheck_logins_total', { outcome: 'started' })).toBe(2)
    expect(sum('coatcheck_callbacks_total', { outcome: 'completed' })).toBe(2)
    expect(sum('coatcheck_callbacks_total', { outcome: 'login_state_invalid' })).toBe(1)
    expect(sum('coatcheck_logins_total', { outcome: 'return_to_invalid' })).toBe(1)
    expect(sum('coatcheck_refresh_duration_seconds_count', { outcome: 'refreshed' })).toBe(1)
    expect(sum('coatcheck_refresh_wait_seconds_count')).toBe(1)
    expect(sum('coatcheck_logouts_total', { kind: 'browser', outcome: 'ended' })).toBe(1)
    expect(sum('coatcheck_upstream_duration_seconds_count', { route: '/api', outcome: 'ok' })).toBe(5)
    expect(sum('coatcheck_request_duration_seconds_count', { route: '/api', status: '2xx' })).toBe(6)
    expect(sum('coatcheck_problems_total', { code: 'csrf_rejected' })).toBe(1)
    expect(sum('coatcheck_session_lookups_total')).toBeGreaterThanOrEqual(5)
    expect(sum('coatcheck_provider_duration_seconds_count', { operation: 'token', outcome: '2xx' })).toBe(3)
    expect(sum('coatcheck_store_duration_seconds_count', { operation: 'create', outcome: 'ok' })).toBe(2)
    expect(sum('coatcheck_workers', { state: 'answering' })).toBe(workers > 1 ? workers : 0)
  })

  test('show open streams and connections while they are open', async () => {
    const tab = await world.signIn()
    const stream = await tab.stream('/api/events')
    await eventually(async () => {
      const now = await admin.scrape()
      expect(now.sum('coatcheck_open_streams', { kind: 'sse' })).toBe(1)
      expect(now.sum('coatcheck_open_connections')).toBeGreaterThanOrEqual(1)
    })
    stream.destroy()
    await eventually(async () => {
      const now = await admin.scrape()
      expect(now.sum('coatcheck_open_streams', { kind: 'sse' })).toBe(0)
      // The browser left: counted all the same.
      expect(
        now.sum('coatcheck_upstream_duration_seconds_count', { route: '/api', outcome: 'browser_gone' }),
      ).toBe(2)
    })
  })

  test('stop the start, with one line, when their port is taken', async () => {
    const taken = `${adminPort}`
    const start = startGatewayProcess({
      ...unreachableEnv,
      ...settings,
      PORT: `${await freePort()}`,
      ADMIN_PORT: taken,
    })
    await expect(start).rejects.toThrow(
      new Error(
        `the gateway ended with 1 before it listened:\ncoatcheck: 127.0.0.1 port ${taken} is taken by another process; see PORT and HOST, ADMIN_PORT and ADMIN_HOST, FORWARD_AUTH_PORT and FORWARD_AUTH_HOST\n`,
      ),
    )
  })

  test('are served by a listener that knows nothing else', async () => {
    expect((await admin.get('/metrics')).headers.get('content-type')).toBe(
      'text/plain; version=0.0.4; charset=utf-8',
    )
    expect(await admin.get('/livez')).toMatchObject({ status: 200 })
    const ready = await admin.get('/readyz?for=traffic')
    expect(ready.status).toBe(200)
    expect(JSON.parse(ready.body)).toMatchObject({ ready: true, checks: { store: { ready: true } } })
    for (const path of ['/login', '/session', '/api/orders', '/']) {
      expect((await admin.get(path)).status).toBe(404)
    }
    const main = await world.browser().tab().open('/metrics')
    expect(main.answer.headers['content-type']).not.toContain('version=0.0.4')
  })
})

async function runFlows(world: World): Promise<void> {
  const [expired] = await world.signInExpired(1)
  if (expired === undefined) throw new Error('no browser')
  expect((await expired.tab().fetch('/api/orders')).status).toBe(200)
  const tab = await world.signIn()
  for (let count = 0; count < 4; count += 1) await tab.fetch(`/api/${marker}/${count}?q=${marker}`)
  const stream = await tab.stream('/api/events')
  stream.destroy()
  await beHostile(world)
  await tab.submit('/logout', {})
  // A counted answer is counted when its connection says that it is over.
  await eventually(async () => {
    const log = world.gateways[0]?.log() ?? []
    expect(log.filter(({ path, msg }) => msg === 'request' && path === '/api/events')).toHaveLength(1)
    expect(log.filter(({ path, msg }) => msg === 'request' && path === '/logout')).toHaveLength(1)
  })
}

/** Methods, paths, parameters and headers that nobody has heard of. */
async function beHostile(world: World): Promise<void> {
  const address = { host: '127.0.0.1', port: world.gateways[0]?.port ?? 0 }
  const send = (method: string, path: string, headers: Readonly<Record<string, string>> = {}) =>
    exchange({
      method,
      url: new URL(path, world.baseUrl),
      headers: { 'user-agent': marker, ...headers },
      address,
    })
  await send('PROPFIND', `/api/${marker}`)
  await send('MKCOL', `/${marker}`)
  await send('GET', `/${marker}/%zz`)
  await send('GET', `/login?returnTo=https://${marker}/`)
  await send('GET', `/callback?state=${marker}&code=${marker}&error=${marker}`)
  await send('POST', `/backchannel-logout?${marker}=1`, { 'content-type': marker })
  await send('GET', `/frontchannel-logout?iss=${marker}&sid=${marker}`)
  await send('DELETE', `/sessions/${marker}`)
  await send('GET', `/livez/${marker}`)
}
