import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hashSessionId } from '../../../src/session/record/keys.ts'
import { startMs } from '../support/fake-sessions.ts'
import { buildGateway, fetchHeaders, sessionCookie, type TestGateway } from '../support/gateway.ts'

let gateway: TestGateway
let id: string
beforeEach(async () => {
  gateway = await buildGateway()
  id = gateway.sessions.add()
})
afterEach(() => gateway.app.close())

const send = (method: 'GET' | 'POST' | 'DELETE', url: string, sessionId: string | undefined = id) =>
  gateway.app.inject({
    method,
    url,
    headers: { ...fetchHeaders, ...(sessionId === '' ? {} : { cookie: `${sessionCookie}=${sessionId}` }) },
  })

describe('GET /session', () => {
  it('says who is signed in and how long it lasts, in whole seconds', async () => {
    gateway.sessions.clock.nowMs += 1_500
    const answer = await send('GET', '/session')
    expect(answer.json()).toEqual({
      authenticated: true,
      user: { sub: 'user-1', name: 'Ada' },
      expiresIn: 35_998,
      idleExpiresIn: 1_798,
      loginUrl: '/login',
      logoutUrl: '/logout',
    })
    expect(answer.headers['cache-control']).toBe('no-store')
  })

  it('never counts as activity and never writes', async () => {
    await send('GET', '/session')
    expect(gateway.sessions.calls).toEqual(['open'])
  })

  it('never promises more idle time than there is time', async () => {
    gateway.sessions.clock.nowMs += 35_999_000
    expect((await send('GET', '/session')).json()).toMatchObject({ expiresIn: 1, idleExpiresIn: 0 })
  })

  it.each([
    ['no cookie', ''],
    ['a cookie that is no id', 'garbage'],
    ['an id that nobody has', 'Z'.repeat(43)],
  ])('with %s says so and leaves the cookie alone', async (_what, value) => {
    const answer = await send('GET', '/session', value)
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toEqual({ authenticated: false, loginUrl: '/login' })
    expect(answer.headers['set-cookie']).toBeUndefined()
  })

  it('is 503 while the store is down, and the cookie stays', async () => {
    gateway.sessions.isDown = true
    const answer = await send('GET', '/session')
    expect(answer.statusCode).toBe(503)
    expect(answer.json()).toMatchObject({ code: 'session_store_unavailable' })
    expect(answer.headers['retry-after']).toBe('2')
    expect(answer.headers['set-cookie']).toBeUndefined()
  })

  it('shows no token', async () => {
    expect((await send('GET', '/session')).body).not.toMatch(/token/)
  })
})

describe('POST /session/refresh', () => {
  it('counts as activity, refreshes if due and answers like /session', async () => {
    gateway.sessions.clock.nowMs += 60_000
    const answer = await send('POST', '/session/refresh')
    expect(answer.json()).toMatchObject({ authenticated: true, expiresIn: 35_940, idleExpiresIn: 1_800 })
    expect(gateway.refreshes).toEqual([id])
  })

  it('cannot push the idle end beyond the absolute one', async () => {
    gateway.sessions.clock.nowMs += 35_000_000
    const answer = await send('POST', '/session/refresh')
    expect(answer.json()).toMatchObject({ expiresIn: 1_000, idleExpiresIn: 1_000 })
  })

  it('without a session says so', async () => {
    expect((await send('POST', '/session/refresh', '')).json()).toMatchObject({ authenticated: false })
    expect(gateway.refreshes).toEqual([])
  })
})

describe('the sessions of a user', () => {
  it('are listed without anything that could be used as a session', async () => {
    const other = gateway.sessions.add()
    const answer = await send('GET', '/sessions')
    const { sessions } = answer.json()
    expect(sessions).toHaveLength(2)
    expect(sessions[0]).toEqual({
      id: expect.stringMatching(/^[\w-]{43}$/),
      browser: 'Firefox',
      createdAt: new Date(startMs).toISOString(),
      lastUsedAt: new Date(startMs).toISOString(),
      current: true,
    })
    for (const secret of [id, other, hashSessionId(id)]) expect(answer.body).not.toContain(secret)
  })

  it.each([
    ['', 'session_missing'],
    ['garbage', 'session_missing'],
    ['Z'.repeat(43), 'session_expired'],
  ])('need a session: %j is 401 %s', async (value, code) => {
    for (const method of ['GET', 'DELETE'] as const) {
      const answer = await send(method, '/sessions', value)
      expect(answer.statusCode).toBe(401)
      expect(answer.json()).toMatchObject({ code, loginUrl: '/login' })
      expect(answer.headers['www-authenticate']).toBe('Cookie realm="coatcheck"')
      expect(answer.headers['set-cookie']).toBeUndefined()
    }
  })

  it('end one by one; another one leaves this cookie alone', async () => {
    const other = gateway.sessions.add()
    const listed = hashSessionId(`listed ${hashSessionId(other)}`)
    const answer = await send('DELETE', `/sessions/${listed}`)
    expect(answer.statusCode).toBe(204)
    expect(answer.headers['set-cookie']).toBeUndefined()
    expect([...gateway.sessions.byHash.keys()]).toEqual([hashSessionId(id)])
    expect((await send('DELETE', `/sessions/${listed}`)).statusCode).toBe(404)
  })

  it('take the cookie along when it is this one, and revoke', async () => {
    const answer = await send('DELETE', `/sessions/${hashSessionId(`listed ${hashSessionId(id)}`)}`)
    expect(answer.statusCode).toBe(204)
    expect(answer.cookies).toMatchObject([{ name: sessionCookie, value: '', maxAge: 0, secure: true }])
    expect(gateway.provider.calls).toEqual(['revoke the-refresh-token'])
    expect(gateway.sessions.byHash.size).toBe(0)
  })

  it('are not ended by the id of a session, or by anything else', async () => {
    for (const wrong of [id, hashSessionId(id), 'x', '..', '%00', 'x'.repeat(90)]) {
      expect((await send('DELETE', `/sessions/${wrong}`)).statusCode).toBe(404)
    }
    expect(gateway.sessions.byHash.size).toBe(1)
  })

  it('end all at once, this one included', async () => {
    gateway.sessions.add()
    const answer = await send('DELETE', '/sessions')
    expect(answer.json()).toEqual({ ended: 2 })
    expect(answer.cookies).toMatchObject([{ name: sessionCookie, maxAge: 0 }])
    expect(gateway.sessions.byHash.size).toBe(0)
  })

  it('are kept when the store fails, and so is the cookie', async () => {
    gateway.sessions.isDown = true
    const answer = await send('DELETE', '/sessions')
    expect(answer.statusCode).toBe(503)
    expect(answer.headers['set-cookie']).toBeUndefined()
  })
})
