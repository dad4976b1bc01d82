import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startUpstream, type Upstream } from '../support/api/upstream.ts'
import { eventually } from '../support/eventually.ts'
import type { Answer } from '../support/exchange.ts'
import { expectPage, expectProblem } from '../support/expect-problem.ts'
import { freePort } from '../support/ports.ts'
import { fromOurPage } from '../support/revocation.ts'
import { type ScriptedPair, startScriptedPair } from '../support/worlds/scripted-pair.ts'

let upstream: Upstream
let pair: ScriptedPair

beforeAll(async () => {
  upstream = await startUpstream()
  pair = await startScriptedPair({ API_URL: upstream.origin })
})
afterAll(async () => {
  await pair?.stop()
  await upstream?.stop()
})

function send(method: string, path: string, cookie: string): Promise<Answer> {
  return pair.request(0, method, path, { ...fromOurPage, accept: 'application/json', cookie })
}

async function statusOf(path: string): Promise<number> {
  return (await pair.request(0, 'GET', path)).status
}

/** What is written is refused with 503, what is read goes on, and nothing looks like a logout. */
async function expectOnlyReads(cookie: string, reason: string): Promise<void> {
  expectProblem(await send('POST', '/session/refresh', cookie), 503, 'session_store_unavailable')
  // The first refusal may cost a connection: another might lead to a master.
  await eventually(async () => expect((await send('GET', '/api/orders', cookie)).status).toBe(200))
  for (let call = 0; call < 20; call += 1) expect((await send('GET', '/api/orders', cookie)).status).toBe(200)
  expect((await send('GET', '/session', cookie)).json()).toMatchObject({ authenticated: true })
  const callback = await pair.completeLogin(0, await pair.beginLogin(0))
  expectPage(callback, 503, 'session_store_unavailable')
  const readiness = await pair.request(0, 'GET', '/readyz')
  expect([readiness.status, readiness.json()]).toMatchObject([503, { checks: { store: { reason } } }])
  expect([await statusOf('/livez'), await statusOf('/readyz?for=traffic')]).toEqual([200, 200])
}

async function expectRecovery(cookie: string): Promise<void> {
  await eventually(async () => expect(await statusOf('/readyz')).toBe(200))
  expect((await send('POST', '/session/refresh', cookie)).status).toBe(200)
  expect(await pair.isSignedIn(1, await pair.signIn(0))).toBe(true)
}

describe('a Redis that refuses writes', () => {
  test('because it is out of memory keeps the sessions there are, and even lets them end', async () => {
    const [staying, leaving] = [await pair.signIn(0), await pair.signIn(0)]
    await pair.client.config('SET', 'maxmemory', '1')
    try {
      await expectOnlyReads(staying, 'Redis is out of memory.')
      expect((await send('POST', '/logout', leaving)).status).toBe(200)
      expect(await pair.isSignedIn(1, leaving)).toBe(false)
    } finally {
      await pair.client.config('SET', 'maxmemory', '0')
    }
    await expectRecovery(staying)
  })

  test('because it became a replica claims no logout, keeps the cookie, and goes on as a master', async () => {
    const cookie = await pair.signIn(0)
    // A master that is not there leaves the replica its data.
    await pair.client.replicaof('127.0.0.1', await freePort())
    try {
      await expectOnlyReads(cookie, 'Redis is a read-only replica.')
      const logout = await send('POST', '/logout', cookie)
      expectProblem(logout, 503, 'session_store_unavailable')
      expect(logout.setCookies).toEqual([])
      const token = await pair.provider.logoutToken()
      expect((await pair.logOut(0, token)).status).toBe(503)
    } finally {
      await pair.client.replicaof('NO', 'ONE')
    }
    await expectRecovery(cookie)
    expect((await send('POST', '/logout', cookie)).status).toBe(200)
  })
})

describe('a Redis whose user may not delete any more', () => {
  test('lets no login end in a token that nobody holds: it is revoked, and sign-ins work again with the right', async () => {
    const cookie = await pair.signIn(0)
    const revocations = pair.provider.count('/revoke')
    await pair.client.call('ACL', 'SETUSER', 'default', '-del')
    try {
      const callback = await pair.completeLogin(0, await pair.beginLogin(0))
      expectPage(callback, 503, 'session_store_unavailable')
      await eventually(() => expect(pair.provider.count('/revoke')).toBe(revocations + 1))
      const token = pair.provider.requests.findLast(({ path }) => path === '/revoke')?.form.get('token')
      expect(pair.provider.issued.slice(-3)).toContain(token)
      const logout = await send('POST', '/logout', cookie)
      expectProblem(logout, 503, 'session_store_unavailable')
      expect(logout.setCookies).toEqual([])
      expect((await send('GET', '/api/orders', cookie)).status).toBe(200)
    } finally {
      await pair.client.call('ACL', 'SETUSER', 'default', '+del')
    }
    expect(await pair.isSignedIn(1, await pair.signIn(0))).toBe(true)
    expect((await send('POST', '/logout', cookie)).status).toBe(200)
    expect(await pair.isSignedIn(1, cookie)).toBe(false)
  })
})

test('a Redis that takes too long costs 503 within two seconds, and nothing else', async () => {
  const cookie = await pair.signIn(0)
  expect((await send('GET', '/api/orders', cookie)).status).toBe(200)
  await pair.client.call('CLIENT', 'PAUSE', '1500', 'ALL')
  const beganMs = performance.now()
  const answer = await send('GET', '/session', cookie)
  expectProblem(answer, 503, 'session_store_unavailable')
  expect(performance.now() - beganMs).toBeLessThan(2_000)
  expect(answer.setCookies).toEqual([])
  await eventually(async () => expect((await send('GET', '/api/orders', cookie)).status).toBe(200))
  await eventually(async () => expect(await statusOf('/readyz')).toBe(200))
})
