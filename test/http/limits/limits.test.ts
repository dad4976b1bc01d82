import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLimits, type Limits } from '../../../src/http/limits/limits.ts'
import { newSessionId } from '../../../src/session/record/keys.ts'
import { silentLogger } from '../../../src/telemetry/logs/logger.ts'
import { startMs } from '../support/fake-sessions.ts'
import {
  buildGateway,
  fetchHeaders,
  navigationHeaders,
  sessionCookie,
  type TestGateway,
} from '../support/gateway.ts'

const burst = 1_000
const attacker = '198.51.100.1'
const neighbour = '198.51.100.2'

const clock = { nowMs: startMs }
const counts = new Map<string, number>()
const lines: string[] = []
let gateway: TestGateway
let limitsAt: (baseUrl: string) => Limits

beforeEach(async () => {
  clock.nowMs = startMs
  counts.clear()
  lines.length = 0
  const log = Object.assign(silentLogger(), {
    warn: (facts: unknown, text: string) => void lines.push(`${JSON.stringify(facts)} ${text}`),
  })
  const store = {
    count: async (key: string) => {
      counts.set(key, (counts.get(key) ?? 0) + 1)
      return counts.get(key) ?? 0
    },
  }
  const sessions = { userRef: () => 'user-ref' }
  limitsAt = (baseUrl) =>
    createLimits({ trustProxy: [], baseUrl: new URL(baseUrl), store, sessions, log, now: () => clock.nowMs })
  gateway = await buildGateway({ limits: limitsAt('https://app.example.test') })
})
afterEach(() => gateway.app.close())

interface Asked {
  readonly from?: string
  readonly cookie?: string
  readonly method?: 'GET' | 'POST' | 'DELETE'
  readonly payload?: string
}

function ask(url: string, { from = attacker, cookie, method = 'GET', payload }: Asked = {}) {
  const kind = /^\/(login|callback)/.test(url) ? navigationHeaders : fetchHeaders
  const type = payload === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }
  const headers = { ...kind, ...type, ...(cookie === undefined ? {} : { cookie }) }
  const body = payload === undefined ? {} : { payload }
  return gateway.app.inject({ url, method, headers, remoteAddress: from, ...body })
}

const withSession = (id: string): string => `${sessionCookie}=${id}`
const status = async (url: string, asked?: Asked): Promise<number> => (await ask(url, asked)).statusCode

/** Uses up an address. */
async function flood(url: string, times = burst, asked: () => Asked = () => ({})): Promise<void> {
  for (let one = 0; one < times; one += 1) await ask(url, asked())
}

const forged = (): Asked => ({ cookie: withSession(newSessionId()) })

async function beginLogin(): Promise<{ readonly url: string; readonly cookie: string }> {
  const { cookies } = await ask('/login', { from: neighbour })
  const [cookie] = cookies
  return {
    url: `/callback?code=c&state=${gateway.provider.begun.at(-1)?.state}`,
    cookie: `${cookie?.name}=${cookie?.value}`,
  }
}

describe('an address', () => {
  it('may begin 1,000 logins at once and 20 a second, then hears 429 with Retry-After; its neighbour does not', async () => {
    await flood('/login')
    const refused = await ask('/login')
    expect([refused.statusCode, refused.headers['retry-after']]).toEqual([429, '1'])
    expect(refused.body).toContain('rate_limited')
    expect(await status('/login', { from: neighbour })).toBe(303)
    clock.nowMs += 1_000
    await flood('/login', 19)
    expect([await status('/login'), await status('/login')]).toEqual([303, 429])
  })

  it('that asks in vain for sessions hears 429 instead, and the store nothing more', async () => {
    await flood('/session', burst, forged)
    gateway.sessions.calls.length = 0
    const refused = await ask('/session', forged())
    expect(refused.statusCode).toBe(429)
    expect(refused.json()).toMatchObject({ code: 'rate_limited' })
    expect(await status('/logout', { ...forged(), method: 'POST' })).toBe(429)
    expect(gateway.sessions.calls).toEqual([])
  })

  it('still begins logins then: tabs that were left open keep nobody out', async () => {
    await flood('/session')
    expect([await status('/session'), await status('/login')]).toEqual([429, 303])
  })

  it('never costs a session that is known here: it is read, refreshed and ended as ever', async () => {
    const cookie = withSession(gateway.sessions.add())
    expect(await status('/session', { cookie })).toBe(200)
    await flood('/session')
    expect(await status('/session')).toBe(429)
    expect(await status('/session', { cookie })).toBe(200)
    expect(await status('/session/refresh', { cookie, method: 'POST' })).toBe(200)
    expect(await status('/logout', { cookie, method: 'POST' })).toBe(303)
    expect(gateway.sessions.byHash.size).toBe(0)
  })

  it('answers a logout without a session as ever, however often', async () => {
    await flood('/logout', burst + 1, () => ({ method: 'POST' }))
    expect(await status('/logout', { method: 'POST' })).toBe(303)
  })

  it('is counted for callbacks that nobody here began', async () => {
    await flood('/callback?code=c&state=s')
    expect(await status('/callback?code=c&state=s')).toBe(429)
  })

  it('may always complete a login that it began', async () => {
    const { url, cookie } = await beginLogin()
    await flood('/callback?code=c&state=s')
    await flood('/login')
    expect(await status(url, { cookie })).toBe(303)
  })

  it('is counted for sessions of the provider that are unknown, and the store hears no more of them', async () => {
    const url = '/frontchannel-logout?iss=https://issuer.example/&sid='
    await flood(`${url}unknown`)
    gateway.sessions.calls.length = 0
    expect(await status(`${url}sid-1`)).toBe(429)
    expect(gateway.sessions.calls).toEqual([])
    expect(await status(`${url}sid-1`, { from: neighbour })).toBe(200)
  })

  it('loses none of its sign-ins and sessions to what pages of other sites make its browsers send', async () => {
    const elsewhere = {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'no-cors',
      'sec-fetch-dest': 'image',
    }
    const urls = [
      '/login',
      '/callback?state=x',
      '/session',
      '/frontchannel-logout?iss=https://issuer.example/&sid=x',
    ]
    for (let one = 0; one < urls.length * (burst + 1); one += 1) {
      await gateway.app.inject({
        url: urls[one % urls.length] ?? '',
        headers: elsewhere,
        remoteAddress: attacker,
      })
    }
    const cookie = withSession(gateway.sessions.add())
    expect([await status('/login'), await status('/session'), await status('/session', { cookie })]).toEqual([
      303, 200, 200,
    ])
  })

  it('is counted for logout tokens that are none, and told that a repetition may help', async () => {
    await flood('/backchannel-logout', burst, () => ({ method: 'POST', payload: 'logout_token=bad' }))
    const refused = await ask('/backchannel-logout', { method: 'POST', payload: 'logout_token=bad' })
    expect([refused.statusCode, refused.headers['retry-after']]).toEqual([429, '1'])
    expect(refused.json()).toMatchObject({ error: 'temporarily_unavailable' })
  })

  it('may always deliver a logout token that is valid', async () => {
    await flood('/backchannel-logout', burst + 1, () => ({ method: 'POST', payload: 'logout_token=bad' }))
    expect(await status('/backchannel-logout', { method: 'POST', payload: 'logout_token=good' })).toBe(200)
  })

  it('is named to the operator once a minute', async () => {
    await flood('/session', burst + 50)
    expect(lines).toEqual([expect.stringContaining(attacker)])
    clock.nowMs += 60_000
    await flood('/session', burst + 250)
    expect(lines).toEqual([expect.anything(), expect.stringContaining('"refused":50')])
  })

  it('that is private is no news where BASE_URL is on this machine', () => {
    limitsAt('http://localhost:3000').admitLogin({
      headers: {},
      raw: { socket: { remoteAddress: '127.0.0.1' } },
    })
    expect(lines).toEqual([])
  })

  it.each(['127.0.0.1', '10.0.0.9', '::ffff:192.168.1.1'])(
    'that is private, %s, is most likely a proxy: it is never limited, and one line says so',
    async (from) => {
      await flood('/session', burst + 5, () => ({ from }))
      expect(await status('/session', { from })).toBe(200)
      expect(lines).toEqual([expect.stringContaining('name it in TRUST_PROXY')])
    },
  )
})

describe('a session', () => {
  it('may ask about itself 1,000 times at once, wherever it comes from; others are not concerned', async () => {
    const [cookie, other] = [withSession(gateway.sessions.add()), withSession(gateway.sessions.add())]
    await flood('/session', burst, () => ({ cookie }))
    expect(await status('/session', { cookie, from: neighbour })).toBe(429)
    expect(await status('/session', { cookie: other })).toBe(200)
    expect(await status('/logout', { cookie, method: 'POST' })).toBe(303)
  })

  it('may refresh 600 times a minute on all nodes together, and is kept when it may not', async () => {
    const id = gateway.sessions.add()
    const refresh = () => ask('/session/refresh', { cookie: withSession(id), method: 'POST' })
    expect((await refresh()).statusCode).toBe(200)
    const [key] = counts.keys()
    expect(key).toMatch(/^refresh:/)
    counts.set(key ?? '', 600)
    const refused = await refresh()
    expect([refused.statusCode, refused.headers['retry-after']]).toEqual([429, '60'])
    expect(refused.headers['set-cookie']).toBeUndefined()
    expect(gateway.refreshes).toEqual([id])
    expect(gateway.sessions.byHash.size).toBe(1)
  })

  it('costs no count where it only asks about itself', async () => {
    await ask('/session', { cookie: withSession(gateway.sessions.add()) })
    expect(counts.size).toBe(0)
  })
})

describe('a user', () => {
  it.each([
    ['GET', '/sessions'],
    ['DELETE', `/sessions/${'x'.repeat(43)}`],
  ] as const)('may %s %s 300 times a minute', async (method, url) => {
    const cookie = withSession(gateway.sessions.add())
    counts.set('list:user-ref', 299)
    expect(await status(url, { cookie, method })).not.toBe(429)
    expect(await status(url, { cookie, method })).toBe(429)
  })

  it('may always end all sessions', async () => {
    const cookie = withSession(gateway.sessions.add())
    counts.set('list:user-ref', 10_000)
    expect(await status('/sessions', { cookie, method: 'DELETE' })).toBe(200)
  })

  it('may sign in 1,000 times in ten minutes; one more gets no session, and its refresh token is revoked', async () => {
    const { url, cookie } = await beginLogin()
    counts.set('login:user-ref', 1_000)
    const refused = await ask(url, { cookie })
    expect(refused.statusCode).toBe(429)
    expect(gateway.provider.calls.at(-1)).toBe('revoke the-refresh-token')
    expect(gateway.sessions.calls).not.toContain('begin')
  })
})

describe('one login', () => {
  it('may be tried 100 times at once: each but the first is a duplicate', async () => {
    const { url, cookie } = await beginLogin()
    await flood(url, 100, () => ({ cookie }))
    gateway.sessions.calls.length = 0
    expect(await status(url, { cookie })).toBe(429)
    expect(gateway.sessions.calls).toEqual([])
  })
})
