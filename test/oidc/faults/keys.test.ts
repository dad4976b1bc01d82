import type { JWK } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { newSigningKey, type ScriptedAnswer, signWith } from '../../support/provider/scripted-provider.ts'
import {
  expectFailedLogin,
  type FaultWorld,
  type LoginFailure,
  sessionCookieOf,
  startFaultWorld,
} from '../../support/worlds/fault-world.ts'

let world: FaultWorld

beforeAll(async () => {
  world = await startFaultWorld()
  await world.signIn()
})
afterAll(() => world.stop())
afterEach(() => world.heal())

const minuteMs = 60_000
const stranger = newSigningKey('key-of-nobody')

it.each<readonly [string, LoginFailure, ScriptedAnswer]>([
  ['are answered with 500', 'provider_unavailable', { status: 500 }],
  ['are not found', 'provider_unavailable', { status: 404 }],
  ['are redirected', 'provider_unavailable', { status: 302, headers: { location: '/jwks' } }],
  ['are not answered', 'provider_unavailable', { send: () => undefined }],
  ['break the connection', 'provider_unavailable', { send: (response) => response.destroy() }],
  ['are a page', 'provider_unavailable', { body: '<html>' }],
  ['are a list', 'provider_unavailable', { body: [] }],
  ['are a text', 'provider_unavailable', { body: { keys: 'none' } }],
  ['are two megabytes', 'provider_unavailable', { body: { keys: [], pad: 'x'.repeat(2 ** 21) } }],
  ['are none', 'login_refused', { body: { keys: [] } }],
])('keys that %s after a rotation fail a login as %s', async (_name, code, answer) => {
  world.advance(minuteMs)
  await world.provider.rotateKeys()
  world.provider.faults.keys = () => answer
  await expectFailedLogin(world, code)
})

it.each<readonly [string, (key: JWK) => readonly unknown[]]>([
  ['members that are no keys', (key) => [null, 7, 'x', [], key]],
  ['keys of unknown kinds', (key) => [{ kty: 'XYZ', kid: 'a' }, { kty: 'oct', k: 'AAAA', kid: 'b' }, key]],
  ['a broken key of the same id', (key) => [{ ...key, n: 'AQAB' }, key]],
  ['a key for encryption of the same id', (key) => [{ ...key, use: 'enc' }, key]],
  ['a key of the same id for another algorithm', (key) => [{ ...key, alg: 'PS512' }, key]],
  ['the same key twice', (key) => [key, key]],
  ['a hundred keys', (key) => [...Array.from({ length: 99 }, (_, n) => ({ ...key, kid: `k${n}` })), key]],
])('keys with %s serve a login after a rotation', async (_name, set) => {
  world.advance(minuteMs)
  await world.provider.rotateKeys()
  world.provider.faults.keys = (keys) => ({ body: { keys: keys.flatMap((key) => set(key)) } })
  expect(sessionCookieOf(await world.logIn())).toBeDefined()
})

describe('an outage of the keys', () => {
  it('costs no login whose key is known, for a day', async () => {
    await world.signIn()
    world.provider.faults.keys = () => ({ status: 500 })
    world.advance(11 * minuteMs)
    expect(sessionCookieOf(await world.logIn())).toBeDefined()
    const asked = world.provider.count('/jwks')
    expect(sessionCookieOf(await world.logIn())).toBeDefined()
    expect(world.provider.count('/jwks')).toBe(asked)
    world.advance(24 * 60 * minuteMs)
    expect((await world.logIn()).json()).toMatchObject({ code: 'provider_unavailable' })
  })

  it('is over at once for those who come after it', async () => {
    await world.provider.rotateKeys()
    world.provider.faults.keys = () => ({ status: 500 })
    for (let attempt = 0; attempt < 12; attempt += 1) await world.logIn()
    world.heal()
    expect(sessionCookieOf(await world.logIn())).toBeDefined()
  })
})

describe('a flood of logout tokens with keys that nobody knows, while the keys cannot be had,', () => {
  const forge = async (n: number, claims = {}) =>
    signWith(await stranger, {
      iss: world.provider.issuer,
      aud: world.provider.clientId,
      iat: Math.floor(Date.now() / 1_000),
      jti: `forged-${n}`,
      sub: `nobody-${n}`,
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      ...claims,
    })
  const send = (token: string) =>
    world.request(
      'POST',
      '/backchannel-logout',
      { 'content-type': 'application/x-www-form-urlencoded' },
      `logout_token=${token}`,
    )

  it('makes a few requests and then one of a second, each is told to come back, and nobody pays for it afterwards', async () => {
    const flooded = await startFaultWorld({ RATE_LIMIT: 'off' })
    const mine = world
    world = flooded
    try {
      // Before there ever were keys.
      world.provider.faults.keys = () => ({ send: (response) => response.destroy() })
      const answers = await Promise.all(Array.from({ length: 25 }, async (_, n) => send(await forge(n))))
      for (let n = 0; n < 25; n += 1) answers.push(await send(await forge(n)))
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]))
      expect(world.provider.count('/jwks')).toBeLessThanOrEqual(7)
      world.heal()
      const cookie = await world.signIn()
      // With keys that are known, and others that are not.
      world.provider.faults.keys = () => ({ status: 500 })
      world.advance(31_000)
      const before = world.provider.count('/jwks')
      const more: number[] = []
      for (let n = 0; n < 25; n += 1) more.push((await send(await forge(n))).status)
      // Those that name a session are asked about apart, no more often.
      for (let n = 0; n < 25; n += 1) more.push((await send(await forge(n, { sub: 'alice' }))).status)
      expect(new Set(more)).toEqual(new Set([503]))
      expect(world.provider.count('/jwks') - before).toBeLessThanOrEqual(12)
      expect(await world.isSignedIn(cookie)).toBe(true)
      world.heal()
      await world.provider.rotateKeys()
      world.advance(1_000)
      expect((await send(await world.provider.logoutToken())).status).toBe(200)
      expect(await world.isSignedIn(cookie)).toBe(false)
    } finally {
      world = mine
      await flooded.stop()
    }
  })
})

describe('a rotation', () => {
  it('is survived by fifty logins at once, with one more fetch', async () => {
    await world.signIn()
    world.advance(minuteMs)
    await world.provider.rotateKeys()
    const before = world.provider.count('/jwks')
    const answers = await Promise.all(Array.from({ length: 50 }, () => world.logIn()))
    expect(answers.filter((answer) => sessionCookieOf(answer) === undefined)).toEqual([])
    expect(world.provider.count('/jwks')).toBe(before + 1)
  })

  it('behind a fetch under way is survived: what that brings may be older than the new key', async () => {
    world.advance(minuteMs)
    const { provider } = world
    await provider.rotateKeys()
    const older = [...provider.publicKeys]
    let release: (response: () => void) => void = () => undefined
    const isAsked = new Promise<() => void>((resolve) => {
      release = resolve
    })
    provider.faults.keys = () => ({
      send: (response) => release(() => response.end(JSON.stringify({ keys: older }))),
    })
    const first = world.logIn()
    const answer = await isAsked
    delete provider.faults.keys
    await provider.rotateKeys()
    const second = world.logIn()
    await eventually(() => expect(provider.requests.at(-1)?.path).toBe('/token'))
    setTimeout(answer, 50)
    expect(sessionCookieOf(await first)).toBeDefined()
    expect(sessionCookieOf(await second)).toBeDefined()
  })

  it('in the middle of fifty logins is survived by all of them', async () => {
    world.advance(minuteMs)
    // Made beforehand: that takes longer than a busy machine's provider may.
    const rotated = await Promise.all(Array.from({ length: 6 }, (_, n) => newSigningKey(`rotated-${n}`)))
    let signed = 0
    const published = () => rotated.slice(0, Math.floor(signed / 10) + 1)
    world.provider.faults.signIdToken = async (claims, header) => {
      signed += 1
      return signWith(published().at(-1) ?? (await stranger), claims, header)
    }
    world.provider.faults.keys = () => ({ body: { keys: published().map(({ jwk }) => jwk) } })
    const answers = await Promise.all(Array.from({ length: 50 }, () => world.logIn()))
    const failed = answers.filter((answer) => sessionCookieOf(answer) === undefined)
    expect(failed.map((answer) => answer.text())).toEqual([])
  })
})
