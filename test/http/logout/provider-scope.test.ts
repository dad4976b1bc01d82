import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buildGateway, type TestGateway } from '../support/gateway.ts'

let gateway: TestGateway
beforeEach(async () => {
  gateway = await buildGateway()
})
afterEach(() => gateway.app.close())

const form = 'application/x-www-form-urlencoded'
const post = (payload: string, contentType = form) =>
  gateway.app.inject({
    method: 'POST',
    url: '/backchannel-logout',
    headers: { 'content-type': contentType, 'sec-fetch-site': 'cross-site' },
    payload,
  })

describe('POST /backchannel-logout', () => {
  it('ends the sessions of the token, without cookie or guard', async () => {
    const answer = await post('logout_token=good')
    expect([answer.statusCode, answer.body]).toEqual([200, ''])
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(gateway.sessions.calls).toEqual(['endByLogoutToken'])
    expect(gateway.audited).toMatchObject([{ name: 'logout.backchannel', outcome: 'ended', count: 1 }])
  })

  it.each([
    ['an invalid token', 'logout_token=bad', 400, 'The token is not signed by the provider.'],
    ['no token', 'x=1', 400, 'The form must hold logout_token once.'],
    ['an empty token', 'logout_token=', 400, 'The form must hold logout_token once.'],
    ['two tokens', 'logout_token=good&logout_token=good', 400, 'The form must hold logout_token once.'],
    ['an empty form', '', 400, 'The form must hold logout_token once.'],
  ])('answers %s with 400 and why', async (_what, payload, status, description) => {
    const answer = await post(payload)
    expect(answer.statusCode).toBe(status)
    expect(answer.json()).toEqual({ error: 'invalid_request', error_description: description })
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(gateway.sessions.calls).toEqual([])
  })

  it.each(['application/json', 'text/plain', 'multipart/form-data; boundary=x'])(
    'does not read %s',
    async (type) => {
      const answer = await post('{"logout_token":"good"}', type)
      expect(answer.statusCode).toBe(415)
      expect(answer.json()).toMatchObject({ error: 'invalid_request' })
    },
  )

  it('does not read more than 16 KB', async () => {
    const answer = await post(`logout_token=${'x'.repeat(17_000)}`)
    expect(answer.statusCode).toBe(413)
    expect(answer.json()).toMatchObject({ error: 'invalid_request' })
  })

  it('asks for a repetition when the store or the keys are out of reach', async () => {
    expect((await post('logout_token=keys')).statusCode).toBe(503)
    gateway.sessions.isDown = true
    const answer = await post('logout_token=good')
    expect(answer.statusCode).toBe(503)
    expect(answer.json()).toMatchObject({ error: 'temporarily_unavailable' })
  })

  it.each(['GET', 'PUT', 'HEAD'] as const)('does not answer %s', async (method) => {
    const answer = await gateway.app.inject({ method, url: '/backchannel-logout' })
    expect([answer.statusCode, answer.headers.allow]).toEqual([405, 'POST'])
  })
})

describe('GET /frontchannel-logout', () => {
  const get = (query: string) => gateway.app.inject({ url: `/frontchannel-logout${query}` })
  const issuer = encodeURIComponent('https://issuer.example/')

  it('ends the sessions of that sid in a page that only the provider may frame', async () => {
    const answer = await get(`?iss=${issuer}&sid=sid-1`)
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['content-security-policy']).toContain('frame-ancestors https://issuer.example')
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(gateway.sessions.calls).toEqual(['endByProviderSession sid-1'])
    expect(gateway.provider.calls).toEqual([])
  })

  it('answers alike for a sid that nobody knows', async () => {
    expect((await get(`?iss=${issuer}&sid=other`)).statusCode).toBe(200)
  })

  it.each([
    '',
    `?iss=${issuer}`,
    `?iss=${issuer}&sid=`,
    '?iss=https://evil.example&sid=sid-1',
    `?iss=${issuer}&sid=a&sid=b`,
  ])('answers %j with 400 and ends nothing', async (query) => {
    expect((await get(query)).statusCode).toBe(400)
    expect(gateway.sessions.calls).toEqual([])
  })
})
