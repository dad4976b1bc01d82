import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GatewayError } from '../../../src/errors/gateway-error.ts'
import { noLimits } from '../../../src/http/limits/limits.ts'
import { hashSessionId } from '../../../src/session/record/keys.ts'
import { buildGateway, navigationHeaders, sessionCookie, type TestGateway } from '../support/gateway.ts'

let gateway: TestGateway
beforeEach(async () => {
  gateway = await buildGateway()
})
afterEach(() => gateway.app.close())

const navigate = (url: string, cookie = '') =>
  gateway.app.inject({ url, headers: { ...navigationHeaders, cookie } })

async function begin(query = '', cookie = '') {
  const answer = await navigate(`/login${query}`, cookie)
  const { name, value } = answer.cookies[0] ?? { name: '', value: '' }
  return { state: gateway.provider.begun.at(-1)?.state ?? '', cookie: `${name}=${value}`, name }
}

const idsOf = (answer: { cookies: { name: string; value: string }[] }) =>
  answer.cookies.filter(({ name }) => name === sessionCookie).map(({ value }) => value)

describe('GET /callback', () => {
  it('makes a session under a new id and returns to where the login began', async () => {
    const { state, cookie, name } = await begin('?returnTo=/orders')
    const answer = await navigate(`/callback?code=c&state=${state}`, cookie)
    expect(answer.statusCode).toBe(303)
    expect(answer.headers.location).toBe('/orders')
    const [id] = idsOf(answer)
    expect(gateway.sessions.byHash.has(hashSessionId(id ?? ''))).toBe(true)
    expect(answer.headers['set-cookie']).toEqual([
      expect.stringMatching(new RegExp(`^${name}=; .*Max-Age=0`)),
      `${sessionCookie}=${id}; Path=/; HttpOnly; Secure; SameSite=Strict`,
    ])
    expect(gateway.audited.map((event) => event.name)).toEqual(['login.started', 'login.completed'])
  })

  it('makes its session known to the limits of addresses: the first call may come in the middle of a flood', async () => {
    const live: string[] = []
    await gateway.app.close()
    gateway = await buildGateway({ limits: { ...noLimits, noteLive: (h) => void live.push(h) } })
    const { state, cookie } = await begin()
    const [id] = idsOf(await navigate(`/callback?code=c&state=${state}`, cookie))
    expect(live).toEqual([hashSessionId(id ?? '')])
  })

  it('checks the answer, redeems the state, asks for tokens and begins, in that order', async () => {
    const { state, cookie } = await begin()
    const order: string[] = []
    gateway.sessions.calls.push = (...names) => order.push(...names)
    gateway.provider.calls.push = (...names) => order.push(...names)
    await navigate(`/callback?code=c&state=${state}`, cookie)
    const steps = ['checkAuthorizationResponse', 'redeemState', 'completeLogin', 'begin']
    expect(order.filter((name) => name !== 'end')).toEqual(steps)
  })

  it.each([
    ['no state', (_state: string, cookie: string) => ['/callback?code=c', cookie] as const],
    ['another state', (_state: string, cookie: string) => ['/callback?code=c&state=other', cookie] as const],
    ['no cookie', (state: string) => [`/callback?code=c&state=${state}`, ''] as const],
    [
      'a changed cookie',
      (state: string, cookie: string) => [`/callback?state=${state}`, `${cookie}A`] as const,
    ],
    [
      'the cookie twice',
      (state: string, cookie: string) => [`/callback?state=${state}`, `${cookie}; ${cookie}`] as const,
    ],
  ])('asks nobody with %s', async (_what, build) => {
    const { state, cookie } = await begin()
    gateway.provider.calls.length = 0
    const [url, sent] = build(state, cookie)
    const answer = await navigate(url, sent)
    expect(answer.statusCode).toBe(400)
    expect(answer.body).toContain('login_state_invalid')
    expect(answer.headers['set-cookie']).toBeUndefined()
    expect(gateway.provider.calls).toEqual([])
    expect(gateway.sessions.calls).toEqual([])
  })

  it('refuses a transaction older than ten minutes', async () => {
    const { state, cookie } = await begin()
    gateway.sessions.clock.nowMs += 600_000
    expect((await navigate(`/callback?code=c&state=${state}`, cookie)).statusCode).toBe(400)
  })

  it('refuses a repeated state and an endless query', async () => {
    const { state, cookie } = await begin()
    const twice = await navigate(`/callback?state=${state}&state=${state}`, cookie)
    const long = await navigate(`/callback?state=${state}&code=${'x'.repeat(8_192)}`, cookie)
    expect([twice.statusCode, long.statusCode]).toEqual([400, 400])
    expect(twice.body).toContain('request_invalid')
  })

  it.each([
    ['login_denied', 403, (g: TestGateway) => (g.provider.refusal = new GatewayError('login_denied'))],
    ['login_refused', 400, (g: TestGateway) => (g.provider.refusal = new GatewayError('login_refused'))],
    [
      'access_token_unusable',
      502,
      (g: TestGateway) => (g.provider.tokenFailure = new GatewayError('access_token_unusable')),
    ],
    [
      'provider_unavailable',
      503,
      (g: TestGateway) => (g.provider.tokenFailure = new GatewayError('provider_unavailable')),
    ],
    ['session_expired', 401, (g: TestGateway) => (g.sessions.endsMeanwhile = true)],
    ['session_store_unavailable', 503, (g: TestGateway) => (g.sessions.isDown = true)],
  ])('answers %s with a page, no session, and without the transaction', async (code, status, arrange) => {
    const { state, cookie, name } = await begin()
    arrange(gateway)
    const answer = await navigate(`/callback?code=c&state=${state}`, cookie)
    expect(answer.statusCode).toBe(status)
    expect(answer.headers['content-type']).toContain('text/html')
    expect(answer.body).toContain(code)
    expect(answer.cookies.map((one) => [one.name, one.maxAge])).toEqual([[name, 0]])
    expect(gateway.audited.at(-1)).toMatchObject({ name: 'login.refused', code })
  })

  it('works once: a replay is told so, with the way back to the app first', async () => {
    const { state, cookie } = await begin()
    await navigate(`/callback?code=c&state=${state}`, cookie)
    const replay = await navigate(`/callback?code=c&state=${state}`, cookie)
    expect(replay.statusCode).toBe(400)
    expect(replay.body).toContain('login_state_invalid')
    expect(replay.body.indexOf('Open the app')).toBeLessThan(replay.body.indexOf('Sign in again'))
    expect(gateway.provider.calls.filter((name) => name === 'completeLogin')).toHaveLength(1)
  })

  it('ends the session that /login saw, once the new one is there', async () => {
    const old = gateway.sessions.add()
    const { state, cookie } = await begin('', `${sessionCookie}=${old}`)
    const answer = await navigate(`/callback?code=c&state=${state}`, cookie)
    expect([...gateway.sessions.byHash.keys()]).toEqual(idsOf(answer).map(hashSessionId))
    expect(gateway.provider.calls.filter((name) => name.startsWith('revoke'))).toEqual([])
  })

  it('leaves the former session alone when the login fails', async () => {
    const old = gateway.sessions.add()
    const { state, cookie } = await begin('', `${sessionCookie}=${old}`)
    gateway.provider.tokenFailure = new GatewayError('login_refused')
    await navigate(`/callback?code=c&state=${state}`, `${cookie}; ${sessionCookie}=${old}`)
    expect([...gateway.sessions.byHash.keys()]).toEqual([hashSessionId(old)])
  })

  it('never takes a planted id for the new session', async () => {
    const planted = 'P'.repeat(43)
    const { state, cookie } = await begin()
    const answer = await navigate(`/callback?code=c&state=${state}`, `${cookie}; ${sessionCookie}=${planted}`)
    expect(idsOf(answer)).toHaveLength(1)
    expect(idsOf(answer)[0]).not.toBe(planted)
  })

  it('completes logins of several tabs in any order', async () => {
    const [first, second] = [await begin('?returnTo=/1'), await begin('?returnTo=/2')]
    const cookie = `${first.cookie}; ${second.cookie}`
    expect((await navigate(`/callback?code=c&state=${second.state}`, cookie)).headers.location).toBe('/2')
    expect((await navigate(`/callback?code=c&state=${first.state}`, cookie)).headers.location).toBe('/1')
  })
})
