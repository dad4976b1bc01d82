import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Tab } from '../../support/browser/browser-client.ts'
import { eventually } from '../../support/eventually.ts'
import { expectProblem } from '../../support/expect-problem.ts'
import { adminOf } from '../../support/gateway/admin.ts'
import { freePort } from '../../support/ports.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'

const workerCount = 2

/** Enough connections, dealt out in turn, to reach each worker several times. */
const calls = 4 * workerCount

describe('workers', () => {
  let world: World
  let admin: ReturnType<typeof adminOf>

  beforeAll(async () => {
    const port = await freePort()
    world = await startWorld({ settings: { WORKERS: `${workerCount}`, ADMIN_PORT: `${port}` } })
    admin = adminOf(world, port)
  })
  afterAll(() => world?.stop())

  const callAll = async (tab: Tab): Promise<readonly number[]> => {
    const answers = await Promise.all(
      Array.from({ length: calls }, (_, at) => tab.fetch(`/api/orders/${at}`)),
    )
    return answers.map(({ status }) => status)
  }
  const all = (status: number) => Array.from({ length: calls }, () => status)

  const workerPids = (): readonly number[] =>
    execFileSync('pgrep', ['-P', `${world.gateways[0]?.pid}`], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number)

  test('all serve one session, each from a cache of its own', async () => {
    const tab = await world.signIn()
    const before = await admin.scrape()
    expect(await callAll(tab)).toEqual(all(200))
    expect(await callAll(tab)).toEqual(all(200))
    const after = await admin.scrape()
    const results = (result: string) => {
      const name = 'coatcheck_session_lookups_total'
      return after.sum(name, { result }) - before.sum(name, { result })
    }
    expect(results('hit') + results('miss') + results('bypass')).toBe(2 * calls)
    expect(results('hit')).toBeGreaterThanOrEqual(calls)
  })

  test.each([
    ['a logout', async (tab: Tab) => void (await tab.submit('/logout', {}))],
    ['an operator who deletes the key', async () => world.redis.client().del(...(await world.sessionKeys()))],
  ])('all hear of %s', async (_what, end) => {
    const browser = world.browser()
    const tab = await world.signIn(browser)
    const other = world.sameSession(browser, {}).tab()
    expect(await callAll(other)).toEqual(all(200))
    await end(tab)
    await eventually(async () => expect(await callAll(other)).toEqual(all(401)))
  })

  test('refresh an expired token once, although all need it at the same time', async () => {
    const [browser] = await world.signInExpired(1)
    const grants = world.provider.grants('refresh_token')
    expect(await callAll(browser?.tab() as Tab)).toEqual(all(200))
    expect(world.provider.grants('refresh_token')).toBe(grants + 1)
  })

  test('are replaced when killed; sessions, readiness and counters survive', async () => {
    const tab = await world.signIn()
    expect(await callAll(tab)).toEqual(all(200))
    const name = 'coatcheck_request_duration_seconds_count'
    const before = (await admin.scrape()).sum(name, { route: '/api' })
    const [victim] = workerPids()
    process.kill(victim ?? 0, 'SIGKILL')
    await eventually(async () => {
      const { sum } = await admin.scrape()
      expect(sum('coatcheck_worker_deaths_total')).toBe(1)
      // What the dead worker had counted is still there.
      expect(sum(name, { route: '/api' })).toBeGreaterThanOrEqual(before)
    })
    expect((await admin.get('/readyz')).status).toBe(200)
    expect((await tab.fetch('/api/orders')).status).toBe(200)
    await eventually(async () => {
      expect((await admin.scrape()).sum('coatcheck_workers', { state: 'answering' })).toBe(workerCount)
      expect(workerPids()).not.toContain(victim)
    }, 15_000)
    await eventually(async () => {
      const { body } = await admin.get('/readyz')
      expect(JSON.parse(body).checks.workers).toEqual({ ready: true, note: '2 workers' })
    }, 15_000)
    expect(await callAll(tab)).toEqual(all(200))
  })

  test('show in /readyz when one of them does not answer, and the process stays live', async () => {
    const [frozen] = workerPids()
    process.kill(frozen ?? 0, 'SIGSTOP')
    try {
      const { status, body } = await admin.get('/readyz')
      expect(status).toBe(503)
      expect(JSON.parse(body).checks.workers).toEqual({
        ready: false,
        reason: '1 of 2 workers do not answer',
      })
      expect((await admin.get('/livez')).status).toBe(200)
      expect((await admin.scrape()).sum('coatcheck_workers', { state: 'answering' })).toBe(1)
    } finally {
      process.kill(frozen ?? 0, 'SIGCONT')
    }
    await eventually(async () => expect((await admin.get('/readyz')).status).toBe(200))
  })

  test('show an outage of what they depend on in one /readyz', async () => {
    const tab = await world.signIn()
    await callAll(tab)
    world.redis.freeze()
    try {
      await eventually(async () => {
        const { status, body } = await admin.get('/readyz')
        expect(status).toBe(503)
        expect(JSON.parse(body).checks.store.ready).toBe(false)
        expect((await admin.get('/readyz?for=traffic')).status).toBe(200)
      })
      expectProblem(await tab.fetch('/session'), 503, 'session_store_unavailable')
    } finally {
      world.redis.thaw()
    }
    await eventually(async () => expect((await admin.get('/readyz')).status).toBe(200), 15_000)
  })
})
