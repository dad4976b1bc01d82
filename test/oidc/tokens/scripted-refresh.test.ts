import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CompletedLogin, Provider } from '../../../src/oidc/provider/provider.ts'
import { logIn, openProvider, refreshOf } from '../../support/provider/scripted-login.ts'
import { type ScriptedProvider, startScriptedProvider } from '../../support/provider/scripted-provider.ts'

let scripted: ScriptedProvider
let provider: Provider
let login: CompletedLogin

beforeEach(async () => {
  scripted = await startScriptedProvider()
  provider = openProvider(scripted)
  login = await logIn(scripted, provider)
})

afterEach(async () => {
  await provider.close()
  await scripted.stop()
})

const refreshed = () => refreshOf(scripted, provider, login)

describe('a refresh whose ID token cannot be verified for lack of keys', () => {
  it('keeps the session: new tokens, the old ID token and identity', async () => {
    await scripted.rotateKeys()
    scripted.faults.keys = () => ({ status: 500 })
    expect(await refreshed()).toMatchObject({
      kind: 'refreshed',
      idToken: undefined,
      refreshToken: expect.stringMatching(/^rt-/),
      identity: login.identity,
    })
  })

  it('takes the ID token when the keys come back within the timeout', async () => {
    await scripted.rotateKeys()
    const failures = scripted.count('/jwks') + 2
    scripted.faults.keys = () => (scripted.count('/jwks') <= failures ? { status: 500 } : undefined)
    expect(await refreshed()).toMatchObject({ kind: 'refreshed', idToken: expect.any(String) })
  })

  it('leaves later logins what they need to follow the rotation', async () => {
    await scripted.rotateKeys()
    scripted.faults.keys = () => ({ status: 500 })
    await Promise.all([refreshed(), refreshed(), refreshed()])
    await refreshed()
    delete scripted.faults.keys
    expect(await logIn(scripted, provider)).toMatchObject({ identity: { subject: 'alice' } })
  })
})

describe('a refresh for an API with a scope of its own', () => {
  it('asks for that scope, and for none where the route names none', async () => {
    const audience = { key: 'orders', value: scripted.audience, parameter: 'audience', accepted: [] } as const
    const { refreshToken = '', identity } = login
    for (const scope of ['read:orders', undefined]) {
      await provider.refresh({ refreshToken, identity, audience: { ...audience, scope } })
      expect(scripted.requests.findLast(({ path }) => path === '/token')?.form.get('scope')).toBe(
        scope ?? null,
      )
    }
  })
})

describe('a refresh whose ID token fails a check', () => {
  it.each([
    ['another audience', { aud: 'other' }],
    ['another issuer', { iss: 'https://other.example.test' }],
    ['an expiry long past', { exp: 1 }],
    ['another user', { sub: 'mallory' }],
    ['the claims of a logout token', { events: {} }],
    ['the hash of another access token', { at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' }],
  ])('%s is invalid and yields the refresh token to revoke', async (_name, changes) => {
    scripted.faults.idToken = (claims) => Object.assign(claims, changes)
    expect(await refreshed()).toMatchObject({
      kind: 'invalid',
      obtainedRefreshToken: expect.stringMatching(/^rt-/),
    })
  })
})

describe('auth_time of a refreshed ID token', () => {
  const pinned = 1_700_000_000
  it.each([
    ['the same', 'refreshed', pinned],
    ['later', 'refreshed', pinned + 60],
    ['earlier', 'invalid', pinned - 60],
  ])('%s makes it %s', async (_name, kind, authTime) => {
    login = { ...login, identity: { ...login.identity, authTimeSeconds: pinned } }
    scripted.faults.idToken = (claims) => Object.assign(claims, { auth_time: authTime })
    expect(await refreshed()).toMatchObject({ kind })
  })
})

describe('expires_in', () => {
  const lifeOf = async () => {
    const outcome = await refreshed()
    if (outcome.kind !== 'refreshed') throw new Error(outcome.kind)
    return (outcome.accessToken.expiresAtMs - outcome.accessToken.obtainedAtMs) / 1_000
  }

  it.each([-1, 0, '600', 'soon', null, undefined])('%j means the life that the JWT states', async (value) => {
    scripted.faults.token = (answer) => ({ body: { ...answer, expires_in: value } })
    scripted.faults.accessToken = (claims) => void Object.assign(claims, { exp: Date.now() / 1_000 + 1_000 })
    const life = await lifeOf()
    expect(life).toBeGreaterThan(900)
    expect(life).toBeLessThanOrEqual(1_000)
  })

  it('that is missing, with a JWT that states none, means a default', async () => {
    scripted.faults.token = (answer) => ({ body: { ...answer, expires_in: undefined } })
    scripted.faults.accessToken = (claims) => void Reflect.deleteProperty(claims, 'exp')
    expect(await lifeOf()).toBe(300)
  })
})

describe('an error at the token endpoint', () => {
  const challenge = { 'www-authenticate': 'Bearer error="invalid_grant"' }
  it.each([
    ['invalid_grant with a challenge', 400, 'invalid_grant', challenge, 'refused'],
    ['invalid_client with a challenge', 401, 'invalid_client', { 'www-authenticate': 'Basic' }, 'rejected'],
    ['temporarily_unavailable', 400, 'temporarily_unavailable', {}, 'unavailable'],
    ['server_error', 400, 'server_error', {}, 'unavailable'],
    ['access_denied', 403, 'access_denied', {}, 'refused'],
    ['access_denied of a wrong secret', 401, 'access_denied', {}, 'rejected'],
  ])('%s (%i)', async (_name, status, error, headers, kind) => {
    scripted.faults.token = () => ({ status, body: { error }, headers })
    expect(await refreshed()).toMatchObject({ kind })
  })

  it.each([
    ['an answer that is too large', { body: { padding: 'x'.repeat(2 ** 21) } }],
    ['a broken answer', { body: '{"access_to' }],
    ['an empty answer', { body: '' }],
    ['a page', { body: '<html>', headers: { 'content-type': 'text/html' } }],
  ])('%s is an outage', async (_name, answer) => {
    scripted.faults.token = () => answer
    expect(await refreshed()).toMatchObject({ kind: 'unavailable', cause: 'transport' })
  })
})
