import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hashSessionId } from '../../../src/session/record/keys.ts'
import { buildGateway, navigationHeaders, sessionCookie, type TestGateway } from '../support/gateway.ts'

let gateway: TestGateway
beforeEach(async () => {
  gateway = await buildGateway()
})
afterEach(() => gateway.app.close())

const login = (query = '', headers: Record<string, string> = {}) =>
  gateway.app.inject({ url: `/login${query}`, headers: { ...navigationHeaders, ...headers } })

describe('GET /login', () => {
  it('leads to the provider and leaves a sealed transaction, but neither a session nor a call of the store', async () => {
    const answer = await login('?returnTo=/orders')
    expect(answer.statusCode).toBe(303)
    expect(answer.headers.location).toMatch(/^https:\/\/issuer\.example\/authorize\?state=/)
    expect(answer.headers['cache-control']).toBe('no-store')
    const [cookie, ...others] = answer.cookies
    expect(others).toEqual([])
    expect(cookie?.name).toBe(`${sessionCookie}-login-${gateway.provider.begun[0]?.state.slice(0, 8)}`)
    expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Lax', path: '/', maxAge: 600 })
    expect(cookie?.value).toMatch(/^[\w-]+$/)
    expect(gateway.sessions.calls).toEqual([])
    expect(gateway.provider.begun[0]?.returnTo).toBe('/orders')
  })

  it('passes on the parameters of the allow-list and nothing else', async () => {
    await login('?login_hint=a%40b.example&max_age=60&scope=admin&audience=evil&acr_values=x+y&prompt=none')
    expect(gateway.provider.parameters).toEqual([
      { acr_values: 'x y', max_age: '60', login_hint: 'a@b.example' },
    ])
  })

  it.each([
    ['a foreign returnTo', '?returnTo=https://evil.example', 'return_to_invalid'],
    ['a returnTo under the API', '?returnTo=/api/x', 'return_to_invalid'],
    ['a repeated returnTo', '?returnTo=/a&returnTo=/b', 'request_invalid'],
    ['an array-shaped returnTo', '?returnTo[]=/a', 'request_invalid'],
    ['an escaped array', '?returnTo%5B0%5D=/a', 'request_invalid'],
    ['bytes that are not UTF-8', '?returnTo=%ff', 'request_invalid'],
    ['a half escape', '?returnTo=%4', 'request_invalid'],
    ['a max_age that is no number', '?max_age=-1', 'request_invalid'],
    ['a max_age of letters', '?max_age=1e3', 'request_invalid'],
    ['an empty max_age', '?max_age=', 'request_invalid'],
    ['a control character', '?login_hint=a%0ab', 'request_invalid'],
    ['a long value', `?login_hint=${'x'.repeat(513)}`, 'request_invalid'],
    ['a repeated parameter', '?login_hint=a&login_hint=b', 'request_invalid'],
  ])('answers %s with 400 and begins nothing', async (_what, query, code) => {
    const answer = await login(query)
    expect(answer.statusCode).toBe(400)
    expect(answer.body).toContain(code)
    expect(answer.headers['set-cookie']).toBeUndefined()
    expect(gateway.provider.calls).toEqual([])
  })

  it.each([
    { 'sec-fetch-dest': 'image' },
    { 'sec-fetch-dest': 'iframe' },
    { 'sec-fetch-dest': 'empty' },
    { 'sec-fetch-dest': '' },
    { 'sec-purpose': 'prefetch' },
    { 'sec-purpose': 'prefetch;prerender' },
    { purpose: 'prefetch' },
  ])('refuses %j and names service workers', async (headers) => {
    const answer = await login('', headers as Record<string, string>)
    expect(answer.statusCode).toBe(403)
    expect(answer.body).toContain('service worker')
    expect(gateway.provider.calls).toEqual([])
  })

  it('works for browsers that send no Fetch metadata', async () => {
    const answer = await gateway.app.inject({ url: '/login' })
    expect(answer.statusCode).toBe(303)
  })

  it('answers HEAD without a transaction', async () => {
    const answer = await gateway.app.inject({ method: 'HEAD', url: '/login' })
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['set-cookie']).toBeUndefined()
    expect(gateway.provider.calls).toEqual([])
  })

  it('remembers the session it saw, without reading it', async () => {
    const id = gateway.sessions.add()
    gateway.sessions.isDown = true
    const answer = await login('', { cookie: `${sessionCookie}=${id}` })
    expect(answer.statusCode).toBe(303)
    expect(gateway.provider.begun[0]?.endsSession).toBe(hashSessionId(id))
  })

  it('keeps at most four logins under way, the newest', async () => {
    const jar = new Map<string, string>()
    for (let tab = 0; tab < 7; tab++) {
      const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
      for (const one of (await login('', { cookie })).cookies) {
        if (one.maxAge === 0) jar.delete(one.name)
        else jar.set(one.name, one.value)
      }
      gateway.sessions.clock.nowMs += 1_000
    }
    const names = gateway.provider.begun
      .slice(-4)
      .map(({ state }) => `${sessionCookie}-login-${state.slice(0, 8)}`)
    expect([...jar.keys()].sort()).toEqual(names.sort())
  })

  it('clears what it cannot read before what it can', async () => {
    const first = (await login()).cookies[0]
    const bad = ['aaaaaaaa', 'bbbbbbbb', 'cccccccc'].map(
      (suffix) => `${sessionCookie}-login-${suffix}=garbage`,
    )
    const answer = await login('', { cookie: `${first?.name}=${first?.value}; ${bad.join('; ')}` })
    const cleared = answer.cookies.filter(({ maxAge }) => maxAge === 0)
    expect(cleared.map(({ name }) => name)).toEqual([`${sessionCookie}-login-aaaaaaaa`])
  })

  it('says 503 with Retry-After while the provider is unknown', async () => {
    gateway.provider.ready = false
    const answer = await login()
    expect(answer.statusCode).toBe(503)
    expect(answer.headers['retry-after']).toBe('2')
  })
})
