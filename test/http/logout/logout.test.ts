import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  buildGateway,
  fetchHeaders,
  navigationHeaders,
  sessionCookie,
  type TestGateway,
} from '../support/gateway.ts'

let gateway: TestGateway
let id: string
let cookie: string
beforeEach(async () => {
  gateway = await buildGateway()
  id = gateway.sessions.add()
  cookie = `${sessionCookie}=${id}`
})
afterEach(() => gateway.app.close())

const own = { ...navigationHeaders, 'sec-fetch-site': 'same-origin' }
const form = 'application/x-www-form-urlencoded'
const cleared = `${sessionCookie}=; Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT`

const post = (url = '/logout', headers: Record<string, string> = {}, payload = '') =>
  gateway.app.inject({ method: 'POST', url, headers: { cookie, ...headers }, payload })
const get = (headers: Record<string, string>, url = '/logout') =>
  gateway.app.inject({ url, headers: { cookie, ...headers } })

describe('POST /logout', () => {
  it('ends the session, revokes, clears the cookie and leads to the provider', async () => {
    const answer = await post('/logout?returnTo=/bye', { ...own, 'content-type': form })
    expect(answer.statusCode).toBe(303)
    expect(answer.headers.location).toMatch(
      /^https:\/\/issuer\.example\/logout\?id_token_hint=the-id-token&state=[\w-]{43}$/,
    )
    expect(answer.headers['clear-site-data']).toBe('"cache"')
    expect(answer.headers['set-cookie']).toEqual([cleared, expect.stringContaining('-logout-')])
    expect(gateway.sessions.byHash.size).toBe(0)
    expect(gateway.provider.calls).toEqual(['revoke the-refresh-token'])
    const state = new URL(`${answer.headers.location}`).searchParams.get('state')
    const transaction = answer.cookies[1]
    const back = await gateway.app.inject({
      url: `/logout/callback?state=${state}`,
      headers: { cookie: `${transaction?.name}=${transaction?.value}` },
    })
    expect(back.headers.location).toBe('/bye')
    expect(back.cookies).toMatchObject([{ name: transaction?.name, maxAge: 0 }])
  })

  it('answers JSON where that is asked for', async () => {
    const answer = await post('/logout', { ...fetchHeaders, accept: 'application/json' })
    expect(answer.statusCode).toBe(200)
    expect(answer.json().redirectTo).toMatch(/^https:\/\/issuer\.example\/logout/)
  })

  it.each([['a provider that has no such page', () => (gateway.provider.hasEndSession = false)]])(
    'with %s it still clears the cookie and returns at once',
    async (_what, arrange) => {
      arrange()
      const answer = await post('/logout?returnTo=/bye', own)
      expect(answer.headers.location).toBe('/bye')
      expect(answer.headers['set-cookie']).toEqual([cleared])
    },
  )

  it('without a live session goes by way of the provider all the same, which may know the user still', async () => {
    gateway.sessions.byHash.clear()
    for (const headers of [own, { ...fetchHeaders, accept: 'application/json' }]) {
      const answer = await post('/logout?returnTo=/bye', headers)
      const to = answer.headers.location ?? answer.json().redirectTo
      expect(to).toMatch(/^https:\/\/issuer\.example\/logout(?!.*id_token_hint)/)
      expect(answer.headers['set-cookie']).toEqual([cleared, expect.stringContaining('-logout-')])
    }
    expect(gateway.provider.calls).toEqual([])
  })

  it('takes a form of our own origin without the headers that old browsers and stripping proxies leave out', async () => {
    const answer = await post('/logout', { 'content-type': form, origin: 'https://app.example.com' })
    expect(answer.statusCode).toBe(303)
    expect(gateway.sessions.byHash.size).toBe(0)
  })

  it.each([
    ['without an origin', {}],
    ['of no origin', { origin: 'null' }],
    ['of another origin', { origin: 'https://evil.example' }],
    ['of another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    [
      'of our host on another port',
      { origin: 'https://app.example.com:8443', 'sec-fetch-site': 'same-site' },
    ],
  ])('asks the person whose form %s cannot pass, and nothing changes', async (_what, headers) => {
    const answer = await post('/logout?returnTo=/bye', {
      'content-type': form,
      accept: 'text/html',
      ...headers,
    })
    expect(answer.statusCode).toBe(403)
    expect(answer.headers['content-type']).toContain('text/html')
    expect(answer.body).toContain('action="/logout?returnTo=%2Fbye"')
    expect(answer.headers['set-cookie']).toBeUndefined()
    expect(gateway.sessions.byHash.size).toBe(1)
  })

  it.each(['https://evil.example', '//evil.example', '/api/x'])(
    'ignores the returnTo %s',
    async (returnTo) => {
      gateway.provider.hasEndSession = false
      const answer = await post(`/logout?returnTo=${encodeURIComponent(returnTo)}`, own)
      expect(answer.headers.location).toBe('/')
    },
  )

  it.each(['returnTo=%zz', 'returnTo=/a&returnTo=/b', 'returnTo[]=x', '%zz=x'])(
    'goes on whatever the query is: %s',
    async (query) => {
      gateway.provider.hasEndSession = false
      const answer = await post(`/logout?${query}`, own)
      expect([answer.statusCode, answer.headers.location]).toEqual([303, '/'])
      expect(gateway.sessions.byHash.size).toBe(0)
    },
  )

  it('claims nothing and keeps the cookie while the store is down', async () => {
    gateway.sessions.isDown = true
    const answer = await post('/logout', fetchHeaders)
    expect(answer.statusCode).toBe(503)
    expect(answer.headers['set-cookie']).toBeUndefined()
    expect(answer.headers['clear-site-data']).toBeUndefined()
  })

  it.each([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a sibling site', { 'sec-fetch-site': 'same-site', 'x-csrf': '1' }],
    ['nobody', {}],
    ['nobody with a form', { 'content-type': form }],
    ['a foreign origin with a form', { 'content-type': form, origin: 'https://evil.example' }],
  ])('refuses %s, reads no session and keeps the cookie', async (_who, headers) => {
    const answer = await post('/logout', headers as Record<string, string>)
    expect(answer.statusCode).toBe(403)
    expect(answer.headers['set-cookie']).toBeUndefined()
    expect(gateway.sessions.calls).toEqual([])
  })
})

describe('the confirmation page', () => {
  const proofOf = (body: string) => /name="proof" value="([^"]+)"/.exec(body)?.[1] ?? ''
  const confirm = (proof: string, headers: Record<string, string> = {}) =>
    post('/logout', { 'content-type': form, ...headers }, `proof=${proof}`)

  it('is what a doubtful GET /logout gets, and nothing changes', async () => {
    for (const headers of [
      navigationHeaders,
      { ...own, 'sec-fetch-site': 'cross-site' },
      { ...own, 'sec-fetch-dest': 'iframe' },
      { ...own, 'sec-fetch-mode': 'cors' },
      { ...own, 'sec-purpose': 'prefetch' },
      { ...own, purpose: 'prefetch' },
      {},
    ]) {
      const answer = await get(headers, '/logout?returnTo=/bye')
      expect(answer.statusCode).toBe(200)
      expect(answer.body).toContain('action="/logout?returnTo=%2Fbye"')
      expect(answer.headers['set-cookie']).toBeUndefined()
      expect(answer.headers['content-security-policy']).not.toContain('form-action')
      expect(answer.headers['referrer-policy']).toBe('same-origin')
    }
    expect(gateway.sessions.calls).toEqual([])
    expect(gateway.sessions.byHash.size).toBe(1)
  })

  it('carries a proof that stands for the header where there is no Sec-Fetch-Site', async () => {
    const answer = await confirm(proofOf((await get({})).body), { origin: 'https://app.example.com' })
    expect(answer.statusCode).toBe(303)
    expect(gateway.sessions.byHash.size).toBe(0)
  })

  it('carries a proof for this session and for two hours at most', async () => {
    const proof = proofOf((await get({})).body)
    const other = gateway.sessions.add()
    expect((await confirm(proof, { cookie: `${sessionCookie}=${other}` })).statusCode).toBe(403)
    gateway.sessions.clock.nowMs += 2 * 3_600_000
    expect((await confirm(proof)).statusCode).toBe(403)
    expect(gateway.sessions.byHash.size).toBe(2)
    expect(gateway.sessions.calls).toEqual([])
  })

  it.each(['', 'x', 'A'.repeat(43)])('is not convinced by the proof %j', async (proof) => {
    expect((await confirm(proof)).statusCode).toBe(403)
    expect(
      (await post('/logout', { 'content-type': form }, `proof=${proof}&proof=${proof}`)).statusCode,
    ).toBe(403)
  })

  it('is refused when its proof is there twice', async () => {
    const proof = proofOf((await get({})).body)
    expect(
      (await post('/logout', { 'content-type': form }, `proof=${proof}&proof=${proof}`)).statusCode,
    ).toBe(403)
  })

  it('cannot speak for a request of another site', async () => {
    const proof = proofOf((await get({})).body)
    expect((await confirm(proof, { 'sec-fetch-site': 'same-site' })).statusCode).toBe(403)
    expect((await confirm(proof, { origin: 'null' })).statusCode).toBe(403)
  })
})

describe('GET /logout', () => {
  it('acts when a page of ours sent the browser here', async () => {
    const answer = await get(own)
    expect(answer.statusCode).toBe(303)
    expect(gateway.sessions.byHash.size).toBe(0)
  })

  it('never acts for HEAD', async () => {
    await gateway.app.inject({ method: 'HEAD', url: '/logout', headers: { ...own, cookie } })
    expect(gateway.sessions.byHash.size).toBe(1)
  })
})

describe('GET /logout/callback', () => {
  it.each(['', '?state=', '?state=other', '?state=a&state=b', '?state=%ff', `?state=${'x'.repeat(300)}`])(
    'leads home with %j and never fails',
    async (query) => {
      const answer = await gateway.app.inject({ url: `/logout/callback${query}` })
      expect([answer.statusCode, answer.headers.location]).toEqual([303, '/'])
    },
  )

  it('knows the latest logout of this browser without a state', async () => {
    const { cookies } = await post('/logout?returnTo=/bye', own)
    const transaction = cookies[1]
    const answer = await gateway.app.inject({
      url: '/logout/callback',
      headers: { cookie: `${transaction?.name}=${transaction?.value}` },
    })
    expect(answer.headers.location).toBe('/bye')
  })
})
