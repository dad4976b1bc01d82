import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FaultWorld, startFaultWorld } from '../../support/worlds/fault-world.ts'

let world: FaultWorld
beforeAll(async () => {
  world = await startFaultWorld({ LOGIN_PARAMETERS: 'login_hint,prompt,max_age,acr_values' })
})
afterAll(() => world.stop())

const base = 'https://app.example.test'
const asked = (parameters: Readonly<Record<string, string>>) =>
  new URLSearchParams({ iss: world.provider.issuer, ...parameters }).toString()
const byGet = (parameters: Readonly<Record<string, string>>) =>
  world.request('GET', `/login?${asked(parameters)}`)
const form = { 'content-type': 'application/x-www-form-urlencoded' }
const byPost = (parameters: Readonly<Record<string, string>>) =>
  world.request('POST', '/login', form, asked(parameters))

describe('a login that the provider begins', () => {
  it.each([
    ['by GET', byGet],
    ['by a form', byPost],
  ])(
    '%s leads to the provider and then where it said, with the hint and nothing else',
    async (_how, begin) => {
      const answer = await begin({
        target_link_uri: `${base}/orders?x=1`,
        login_hint: 'alice@example.test',
        prompt: 'none',
        max_age: '0',
        id_token_hint: 'x',
      })
      expect(answer.status).toBe(303)
      const url = new URL(answer.headers.location ?? '')
      expect(url.searchParams.get('login_hint')).toBe('alice@example.test')
      for (const name of ['prompt', 'max_age', 'id_token_hint', 'iss', 'target_link_uri'])
        expect(url.searchParams.has(name)).toBe(false)
      const cookie = answer.setCookies[0]?.split(';')[0] ?? ''
      const back = await world.request('GET', `/callback?${world.provider.approve(url)}`, { cookie })
      expect([back.status, back.headers.location]).toEqual([303, '/orders?x=1'])
    },
  )

  it.each<readonly [string, string, Readonly<Record<string, string>>]>([
    ['another provider', 'request_invalid', { iss: 'https://other.test' }],
    ['a foreign target', 'return_to_invalid', { target_link_uri: 'https://evil.test/' }],
    [
      'a long foreign target',
      'return_to_invalid',
      { target_link_uri: `https://evil.test/${'x'.repeat(2_500)}` },
    ],
    ['a target on another port', 'return_to_invalid', { target_link_uri: `${base}:8443/` }],
    ['a target under the API', 'return_to_invalid', { target_link_uri: `${base}/api/x` }],
    ['a script', 'return_to_invalid', { target_link_uri: 'javascript:alert(1)' }],
    ['two return addresses', 'request_invalid', { target_link_uri: `${base}/`, returnTo: '/' }],
  ])('is refused for %s, both ways', async (_what, code, parameters) => {
    for (const begin of [byGet, byPost]) {
      const answer = await begin(parameters)
      expect({ status: answer.status, code: answer.json().code }).toEqual({ status: 400, code })
      expect(answer.setCookies).toEqual([])
    }
  })

  it('is no form without iss, no other type of body, and nothing that is not a navigation', async () => {
    const empty = await world.request('POST', '/login', form, 'returnTo=%2F')
    expect(empty.json().code).toBe('request_invalid')
    const json = await world.request('POST', '/login', { 'content-type': 'application/json' }, '{}')
    expect(json.status).toBe(415)
    const fetched = await world.request('POST', '/login', { ...form, 'sec-fetch-dest': 'empty' }, asked({}))
    expect(fetched.status).toBe(403)
    expect((await world.request('PUT', '/login')).status).toBe(405)
  })
})

describe('a return address of any length', () => {
  it('signs in: up to 2,048 bytes it is come back to, beyond that the start page', async () => {
    const landing = async (returnTo: string) => {
      const answer = await world.logIn(undefined, `/login?${new URLSearchParams({ returnTo })}`)
      return [answer.status, answer.headers.location]
    }
    const deep = `/x?${'a'.repeat(2_000)}`
    expect(await landing(deep)).toEqual([303, deep])
    expect(await landing(`/x?${'a'.repeat(9_000)}`)).toEqual([303, '/'])
  })
})

describe('a login without asking (prompt=none)', () => {
  it.each(['login_required', 'interaction_required', 'consent_required', 'account_selection_required'])(
    'that the provider answers with %s leads back, and everything stays as it was',
    async (error) => {
      const cookie = await world.signIn()
      const answer = await world.logIn((query) => {
        query.delete('code')
        query.set('error', error)
      }, '/login?prompt=none&returnTo=/orders')
      expect([answer.status, answer.headers.location]).toEqual([303, '/orders'])
      expect(answer.setCookies.filter((one) => one.startsWith('__Host-Http-coatcheck='))).toEqual([])
      expect(await world.isSignedIn(cookie)).toBe(true)
    },
  )

  it('is denied for other errors, and the same errors deny a login that may ask', async () => {
    const denied = (error: string) => (query: URLSearchParams) => {
      query.delete('code')
      query.set('error', error)
    }
    expect((await world.logIn(denied('access_denied'), '/login?prompt=none')).status).toBe(403)
    expect((await world.logIn(denied('login_required'), '/login')).status).toBe(403)
  })
})
