import { generateKeyPairSync } from 'node:crypto'
import { CompactEncrypt } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ScriptedAnswer } from '../../support/provider/scripted-provider.ts'
import {
  expectRefusedLogin,
  type FaultWorld,
  sessionCookieOf,
  startFaultWorld,
} from '../../support/worlds/fault-world.ts'

let world: FaultWorld
const names = 'sub,name,email,/realm_access/roles,/a~1b/0'

const ours = generateKeyPairSync('rsa', { modulusLength: 2048 })
const others = generateKeyPairSync('rsa', { modulusLength: 2048 })

beforeAll(async () => {
  const key = ours.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  world = await startFaultWorld({
    USERINFO: 'on',
    USER_CLAIMS: names,
    CLIENT_ENCRYPTION_KEY: key,
    ACCESS_TOKEN_FORMAT: 'any',
  })
})
afterAll(() => world.stop())
afterEach(() => world.heal())

const says = (body: unknown, status = 200, headers = {}) => {
  world.provider.faults.userinfo = (): ScriptedAnswer => ({ body, status, headers })
}
const user = async (cookie: string) =>
  (await world.request('GET', '/session', { cookie, 'x-csrf': '1' })).json().user

describe('userinfo', () => {
  it('adds to the identity what the ID token lacks, nested claims by their pointer', async () => {
    says({
      sub: 'alice',
      name: 'Mallory',
      email: 'a@example.test',
      realm_access: { roles: ['x'] },
      'a/b': ['y'],
    })
    const cookie = await world.signIn()
    expect(await user(cookie)).toEqual({
      sub: 'alice',
      name: 'Alice',
      email: 'a@example.test',
      '/realm_access/roles': ['x'],
      '/a~1b/0': 'y',
    })
    const asked = world.provider.requests.findLast(({ path }) => path === '/userinfo')
    expect(asked?.method).toBe('GET')
  })

  it('that is refused with the access token in the challenge brings no token into the log', async () => {
    world.provider.faults.accessToken = () => 'an-opaque-access-token'
    says('', 401, { 'www-authenticate': 'Bearer error="invalid_token", token="an-opaque-access-token"' })
    await world.logIn()
    expect(world.log()).toContain('[a secret]')
    expect(world.log()).not.toContain('an-opaque-access-token')
  })

  it('is asked again at a refresh: what is gone there is gone, what cannot be asked stays', async () => {
    says({ sub: 'alice', email: 'a@example.test' })
    const cookie = await world.signIn()
    world.advance(700_000)
    says('', 503)
    await world.refresh(cookie)
    expect(await user(cookie)).toMatchObject({ email: 'a@example.test' })
    world.advance(700_000)
    says({ sub: 'alice' })
    await world.refresh(cookie)
    expect(await user(cookie)).not.toHaveProperty('email')
  })

  it('of another user is refused at login, and leaves a session alone at a refresh', async () => {
    says({ sub: 'alice', email: 'a@example.test' })
    const cookie = await world.signIn()
    says({ sub: 'mallory' })
    expectRefusedLogin(await world.logIn(), 'login_refused')
    expect(world.log()).toContain('"check":"userinfo.sub"')
    expect(world.log()).not.toContain('mallory')
    world.advance(700_000)
    expect((await world.refresh(cookie)).status).toBe(200)
    expect(await user(cookie)).toMatchObject({ email: 'a@example.test' })
  })

  it.each<readonly [string, unknown, number, 'provider_rejected' | 'provider_unavailable']>([
    ['401', { error: 'invalid_token' }, 401, 'provider_rejected'],
    ['403', {}, 403, 'provider_rejected'],
    ['a page', '<html>', 200, 'provider_rejected'],
    ['a list', [], 200, 'provider_rejected'],
    ['503', {}, 503, 'provider_unavailable'],
    ['429', {}, 429, 'provider_unavailable'],
  ])('answered with %s fails the login', async (_what, body, status, code) => {
    says(body, status)
    expectRefusedLogin(await world.logIn(), code)
  })

  it.each(['garbage', 'a.b.c', 'e30.e30.', '<html>'])(
    'that says it is signed and is %s is no answer of a provider',
    async (text) => {
      says(text, 200, { 'content-type': 'application/jwt' })
      expectRefusedLogin(await world.logIn(), 'provider_rejected')
    },
  )

  it('that is signed is verified as every JWT of the provider, iss and aud where they are', async () => {
    const jwt = { 'content-type': 'application/jwt' }
    const { issuer } = world.provider
    says(await world.provider.sign({ sub: 'alice', email: 'signed@example.test' }), 200, jwt)
    expect(await user(await world.signIn())).toMatchObject({ email: 'signed@example.test' })
    says(await world.provider.sign({ sub: 'alice', iss: issuer, aud: 'gateway' }), 200, jwt)
    expect(sessionCookieOf(await world.logIn())).toBeDefined()
    const wrong = [
      await world.provider.sign({ sub: 'alice', aud: 'other' }),
      await world.provider.sign({ sub: 'alice', iss: 'https://other.test' }),
      await world.provider.signWithPublicKey({ sub: 'alice' }),
      `${(await world.provider.sign({ sub: 'alice' })).slice(0, -8)}AAAAAAAA`,
    ]
    for (const token of wrong) {
      says(token, 200, jwt)
      expectRefusedLogin(await world.logIn(), 'login_refused')
    }
  })

  it('that is encrypted is opened, and what is signed inside is verified', async () => {
    const jwt = { 'content-type': 'application/jwt' }
    const { sign } = world.provider
    const encrypt = (text: string, key = ours.publicKey): Promise<string> =>
      new CompactEncrypt(Buffer.from(text))
        .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM' })
        .encrypt(key)
    const right = [
      await sign({ sub: 'alice', email: 'sealed@x.test' }),
      '{"sub":"alice","email":"sealed@x.test"}',
    ]
    for (const inside of right) {
      says(await encrypt(inside), 200, jwt)
      expect(await user(await world.signIn())).toMatchObject({ email: 'sealed@x.test' })
    }
    const wrong = [
      await sign({ sub: 'alice', aud: 'other' }),
      await world.provider.signWithPublicKey({ sub: 'alice' }),
      '{"sub":"mallory"}',
      '{"sub":"alice","aud":"other"}',
    ]
    for (const inside of wrong) {
      says(await encrypt(inside), 200, jwt)
      expectRefusedLogin(await world.logIn(), 'login_refused')
    }
    for (const answer of [await encrypt('[]'), await encrypt(right[0] ?? '', others.publicKey)]) {
      says(answer, 200, jwt)
      const refused = await world.logIn()
      expect(refused.status).toBeGreaterThanOrEqual(400)
      expect(sessionCookieOf(refused)).toBeUndefined()
    }
  })
})
