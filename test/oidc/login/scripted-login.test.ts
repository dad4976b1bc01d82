import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Provider } from '../../../src/oidc/provider/provider.ts'
import { eventually } from '../../support/eventually.ts'
import { logIn, openProvider } from '../../support/provider/scripted-login.ts'
import {
  newSigningKey,
  type ScriptedProvider,
  startScriptedProvider,
} from '../../support/provider/scripted-provider.ts'

let scripted: ScriptedProvider
let provider: Provider

beforeEach(async () => {
  scripted = await startScriptedProvider()
  provider = openProvider(scripted)
})

afterEach(async () => {
  await provider.close()
  await scripted.stop()
})

const loggedIn = () => logIn(scripted, provider)

describe('the ID token of a login', () => {
  it.each([
    ['the hash of another access token', { at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' }, {}],
    ['an access token hash that is no text', { at_hash: 1 }, {}],
    ['the claims of a logout token', { events: {} }, {}],
    ['the type of an access token', {}, { typ: 'at+jwt' }],
    ['a foreign azp', { azp: 'other' }, {}],
    ['an empty subject', { sub: '' }, {}],
    ['a beginning in the future', { nbf: Date.now() / 1_000 + 3_600 }, {}],
  ])('with %s is refused', async (_name, claims, header) => {
    scripted.faults.idToken = (allClaims, wholeHeader) => {
      Object.assign(allClaims, claims)
      Object.assign(wholeHeader, header)
    }
    await expect(loggedIn()).rejects.toMatchObject({ code: 'login_refused' })
  })

  it('with the hash of the access token is accepted', async () => {
    scripted.faults.idToken = (claims, _header, accessToken) => {
      const half = createHash('sha256').update(accessToken).digest().subarray(0, 16)
      Object.assign(claims, { at_hash: half.toString('base64url') })
    }
    await expect(loggedIn()).resolves.toMatchObject({ identity: { subject: 'alice' } })
  })

  it('without a key id is accepted when any of several keys has signed it', async () => {
    const { jwk } = await newSigningKey('other')
    scripted.faults.keys = (keys) => ({ body: { keys: [jwk, ...keys] } })
    scripted.faults.idToken = (_claims, header) => Object.assign(header, { kid: undefined })
    await expect(loggedIn()).resolves.toMatchObject({ identity: { subject: 'alice' } })
  })

  it('without a key id is refused when none of several keys has signed it', async () => {
    const [one, other] = [await newSigningKey('one'), await newSigningKey('other')]
    scripted.faults.keys = () => ({ body: { keys: [one.jwk, other.jwk] } })
    scripted.faults.idToken = (_claims, header) => Object.assign(header, { kid: undefined })
    await expect(loggedIn()).rejects.toMatchObject({ code: 'login_refused' })
  })
})

describe('the life of an access token', () => {
  it.each([-1, 0, 'soon'])('of %j never refuses a login', async (value) => {
    scripted.faults.token = (answer) => ({ body: { ...answer, expires_in: value } })
    const { accessToken } = await loggedIn()
    expect(accessToken.expiresAtMs).toBeGreaterThan(Date.now() + 500_000)
  })
})

describe('a login that fails after tokens came', () => {
  const revoked = () =>
    eventually(() => {
      const revocation = scripted.requests.find(({ path }) => path === '/revoke')
      expect(revocation?.form.get('token')).toMatch(/^rt-/)
    })

  it('over an unusable access token revokes the refresh token', async () => {
    scripted.faults.accessToken = () => 'opaque'
    await expect(loggedIn()).rejects.toMatchObject({ code: 'access_token_unusable' })
    await revoked()
  })

  it('has its refresh token revoked before the provider is closed, although nobody waits for that otherwise', async () => {
    const arrived = Promise.withResolvers<ServerResponse>()
    scripted.faults.revocation = () => ({ send: arrived.resolve })
    scripted.faults.idToken = (claims) => Object.assign(claims, { aud: 'other' })
    await expect(loggedIn()).rejects.toMatchObject({ code: 'login_refused' })
    let isClosed = false
    const closed = provider.close().then(() => {
      isClosed = true
    })
    const answer = await arrived.promise
    // A turn in which a connection that was let go of would be seen to close.
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect([isClosed, answer.destroyed]).toEqual([false, false])
    answer.end('{}')
    await closed
  })

  it('over its ID token revokes the refresh token', async () => {
    scripted.faults.idToken = (claims) => Object.assign(claims, { aud: 'other' })
    await expect(loggedIn()).rejects.toMatchObject({ code: 'login_refused' })
    await revoked()
  })
})

describe('a rotation of the keys', () => {
  it('is survived by many logins at once, with one more fetch', async () => {
    await loggedIn()
    await scripted.rotateKeys()
    await Promise.all(Array.from({ length: 20 }, loggedIn))
    expect(scripted.count('/jwks')).toBe(2)
  })

  it('that keeps the key id is survived', async () => {
    scripted.faults.keys = (keys) => ({ body: { keys: keys.map((key) => ({ ...key, kid: 'same' })) } })
    scripted.faults.idToken = (_claims, header) => Object.assign(header, { kid: 'same' })
    await loggedIn()
    await scripted.rotateKeys()
    await expect(loggedIn()).resolves.toMatchObject({ identity: { subject: 'alice' } })
  })
})
