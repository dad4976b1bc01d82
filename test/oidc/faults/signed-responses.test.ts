import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { CompactEncrypt } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { expectProblem } from '../../support/expect-problem.ts'
import { newSigningKey, signWith, unsigned } from '../../support/provider/scripted-provider.ts'
import {
  expectRefusedLogin,
  type FaultWorld,
  sessionCookieOf,
  startFaultWorld,
} from '../../support/worlds/fault-world.ts'

const ours = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const strangers = generateKeyPairSync('rsa', { modulusLength: 2_048 })

let world: FaultWorld
beforeAll(async () => {
  world = await startFaultWorld(
    {
      RESPONSE_MODE: 'jwt',
      CLIENT_ENCRYPTION_KEY: `${ours.privateKey.export({ format: 'pem', type: 'pkcs8' })}`,
      RATE_LIMIT: 'on',
      TRUST_PROXY: '127.0.0.1/32',
    },
    ({ faults }) => {
      faults.discovery = (metadata) => metadata
    },
  )
})
afterAll(() => world?.stop())
afterEach(() => world.heal())

const encrypt = (text: string, key: KeyObject = ours.publicKey, alg = 'RSA-OAEP-256') =>
  new CompactEncrypt(new TextEncoder().encode(text)).setProtectedHeader({ alg, enc: 'A256GCM' }).encrypt(key)

/** A login that the provider has approved: what it would say, and the cookie that the answer belongs to. */
async function begin(headers: Readonly<Record<string, string>> = {}) {
  const started = await world.request('GET', '/login', headers)
  const approved = new URLSearchParams(world.provider.approve(new URL(started.headers.location ?? '')))
  const { issuer: iss, clientId: aud } = world.provider
  const exp = Math.floor(Date.now() / 1_000) + 60
  const state = approved.get('state') ?? ''
  return {
    cookie: started.setCookies[0]?.split(';')[0] ?? '',
    claims: { iss, aud, exp, state, code: approved.get('code') ?? '' },
  }
}
type Begun = Awaited<ReturnType<typeof begin>>

const comeBack = (query: string, headers: Readonly<Record<string, string>>) =>
  world.request('GET', `/callback?${query}`, headers)

describe('a signed response', () => {
  it.each<readonly [string, (jws: string) => string | Promise<string>]>([
    ['as it is, although it could be encrypted', (jws) => jws],
    ['encrypted to us', (jws) => encrypt(jws)],
  ])('%s signs in', async (_what, wrap) => {
    const { cookie, claims } = await begin()
    const jwt = await wrap(await world.provider.sign(claims))
    expect(sessionCookieOf(await comeBack(`response=${jwt}`, { cookie }))).toBeDefined()
  })

  it.each<readonly [string, string, (claims: Begun['claims']) => Promise<string> | string]>([
    ['without iss', 'response.iss', ({ iss: _gone, ...rest }) => world.provider.sign(rest)],
    ['of another issuer', 'response.iss', (all) => world.provider.sign({ ...all, iss: 'https://b.example' })],
    ['without aud', 'response.aud', ({ aud: _gone, ...rest }) => world.provider.sign(rest)],
    ['for another client', 'response.aud', (all) => world.provider.sign({ ...all, aud: 'other' })],
    [
      'for us and another client',
      'response.aud',
      (all) => world.provider.sign({ ...all, aud: [all.aud, 'other'] }),
    ],
    ['that is a logout token', 'response.typ', (all) => world.provider.sign(all, { typ: 'logout+jwt' })],
    ['not valid yet', 'response.nbf', (all) => world.provider.sign({ ...all, nbf: all.exp + 300 })],
    ['without exp', 'response.exp', ({ exp: _gone, ...rest }) => world.provider.sign(rest)],
    ['that has expired', 'response.exp', (all) => world.provider.sign({ ...all, exp: all.exp - 200 })],
    ['without a signature', 'response.alg', (all) => unsigned(all, { alg: 'none' })],
    ['signed with our public knowledge', 'response.alg', (all) => world.provider.signWithPublicKey(all)],
    [
      'with an extension that has to be understood',
      'response.crit',
      (all) => world.provider.sign(all, { crit: ['x'], x: true }),
    ],
    ['of an unknown key', 'response.kid', async (all) => signWith(await newSigningKey('stranger'), all)],
    [
      'of a false key',
      'response.signature',
      async (all) => signWith(await newSigningKey(world.provider.publicKeys[0]?.kid ?? ''), all),
    ],
    [
      'without a signature within what is encrypted',
      'response.alg',
      (all) => encrypt(unsigned(all, { alg: 'none' })),
    ],
    ['without code and error', 'response.code', ({ code: _gone, ...rest }) => world.provider.sign(rest)],
    [
      'with code and error',
      'response.code',
      (all) => world.provider.sign({ ...all, error: 'access_denied' }),
    ],
  ])('%s is refused by name, and its code is not redeemed', async (_what, check, make) => {
    const { cookie, claims } = await begin()
    const before = world.provider.count('/token')
    expectRefusedLogin(await comeBack(`response=${await make(claims)}`, { cookie }), 'login_refused')
    expect(world.log()).toContain(`"check":"${check}"`)
    expect(world.provider.count('/token')).toBe(before)
    expect(world.leaks()).toEqual([])
  })

  it.each<readonly [string, string, (claims: Begun['claims']) => Promise<string> | string]>([
    [
      'encrypted to another key',
      'response.encryption',
      async (all) => encrypt(await world.provider.sign(all), strangers.publicKey),
    ],
    [
      'with RSA1_5 for its key',
      'response.encryption',
      async (all) =>
        (await encrypt(await world.provider.sign(all))).replace(
          /^[^.]+/,
          Buffer.from('{"alg":"RSA1_5","enc":"A256GCM"}').toString('base64url'),
        ),
    ],
    ['encrypted and not signed', 'response.format', (all) => encrypt(JSON.stringify(all))],
    [
      'encrypted twice',
      'response.format',
      async (all) => encrypt(await encrypt(await world.provider.sign(all))),
    ],
    ['that is no JWT', 'response.format', () => 'nonsense'],
    ['without a state', 'response.state', ({ state: _gone, ...rest }) => world.provider.sign(rest)],
    ['with a code beside it', 'response.mode', async (all) => `${await world.provider.sign(all)}&code=c`],
  ])('%s says so, and takes no login away: nobody knows whose it is', async (_what, check, make) => {
    const { cookie, claims } = await begin()
    const answer = await comeBack(`response=${await make(claims)}`, { cookie })
    expectProblem(answer, 400, 'login_refused')
    expect(answer.setCookies).toEqual([])
    expect(world.log()).toContain(`"check":"${check}"`)
    const whole = `response=${await world.provider.sign(claims)}`
    expect(sessionCookieOf(await comeBack(whole, { cookie }))).toBeDefined()
  })

  it('with an error says what the user can do, and the operator what the provider said', async () => {
    const { cookie, claims } = await begin()
    const { code: _gone, ...rest } = claims
    const error = { error: 'invalid_request_uri', error_description: 'no such reference' }
    const response = `response=${await world.provider.sign({ ...rest, ...error })}`
    const answer = await comeBack(response, { cookie, accept: 'text/html' })
    expect([answer.status, answer.text().includes('waited too long')]).toEqual([403, true])
    expect(world.log()).toContain('no such reference')
  })

  it('of another login belongs to none here', async () => {
    const [mine, other] = [await begin(), await begin()]
    const response = `response=${await world.provider.sign(other.claims)}`
    expectProblem(await comeBack(response, { cookie: mine.cookie }), 400, 'login_state_invalid')
  })

  it('works once', async () => {
    const { cookie, claims } = await begin()
    const response = `response=${await world.provider.sign(claims)}`
    expect(sessionCookieOf(await comeBack(response, { cookie }))).toBeDefined()
    const replay = await comeBack(response, { cookie })
    expect({ status: replay.status, code: replay.json().code }).toEqual({
      status: 400,
      code: 'login_state_invalid',
    })
  })
})

describe('what is encrypted', () => {
  it('is opened for nobody who has begun no login', async () => {
    const { claims } = await begin()
    const jwt = await encrypt(await world.provider.sign(claims), strangers.publicKey)
    const answer = await comeBack(`response=${jwt}`, { cookie: '' })
    expectProblem(answer, 400, 'login_state_invalid')
    expect(world.log()).not.toContain('response.encryption')
  })

  it('is opened three times for a login, and then not while its address has sent too much, which keeps no other from signing in', async () => {
    const from = { 'x-forwarded-for': '203.0.113.9' }
    const { cookie, claims } = await begin(from)
    const forged = await encrypt(await world.provider.sign(claims), strangers.publicKey)
    const sendMany = (count: number, query: string) =>
      Promise.all(Array.from({ length: count }, () => comeBack(query, { ...from, cookie })))
    await sendMany(5, `response=${forged}`)
    // The address gains twenty a second meanwhile, so a slow machine has more to send.
    const untilLimited = async (query: string): Promise<number> => {
      for (let round = 0; round < 60; round += 1) {
        const taken = (await sendMany(50, query)).filter(({ status }) => status !== 429).length
        if (taken < 50) return round * 50 + taken
      }
      throw new Error('nothing was limited')
    }
    await untilLimited('state=x')
    world.heal()
    const taken = await untilLimited(`response=${forged}`)
    // Whatever is opened is said twice, in the log and in the audit.
    const said = world.log().split('response.encryption').length - 1
    expect(said).toBeLessThanOrEqual(2 * taken)
    const next = await begin(from)
    const jwt = await encrypt(await world.provider.sign(next.claims))
    const answer = await comeBack(`response=${jwt}`, { ...from, cookie: next.cookie })
    expect(sessionCookieOf(answer)).toBeDefined()
  })
})

describe('an ID token', () => {
  it.each<readonly [string, string | undefined, (jws: string) => string | Promise<string>]>([
    ['encrypted to us', undefined, (jws) => encrypt(jws)],
    ['encrypted to another key', 'id_token.encryption', (jws) => encrypt(jws, strangers.publicKey)],
    ['encrypted and not signed', 'id_token.format', () => encrypt('{"sub":"alice"}')],
  ])('%s is opened, or refused by name', async (_what, check, wrap) => {
    world.provider.faults.signIdToken = async (claims) => wrap(await world.provider.sign(claims))
    const { cookie, claims } = await begin()
    const answer = await comeBack(`response=${await world.provider.sign(claims)}`, { cookie })
    if (check === undefined) return expect(sessionCookieOf(answer)).toBeDefined()
    expectRefusedLogin(answer, 'login_refused')
    expect(world.log()).toContain(`"check":"${check}"`)
    // What came with it is of no use to anybody, and taken back.
    await eventually(() => expect(world.revoked()).not.toEqual([]))
  })
})

it('a key of the provider that is of no use is named with the JWT that it has signed', async () => {
  const short = generateKeyPairSync('rsa', { modulusLength: 1_024 })
  const { kid } = world.provider.publicKeys[0] ?? {}
  world.provider.faults.keys = () => ({
    body: {
      keys: [
        {
          ...createPublicKey(short.publicKey.export({ format: 'pem', type: 'spki' })).export({
            format: 'jwk',
          }),
          kid,
          alg: 'RS256',
        },
      ],
    },
  })
  world.advance(700_000)
  const started = await begin()
  const claims = { ...started.claims, exp: started.claims.exp + 700 }
  const answer = await comeBack(`response=${await world.provider.sign(claims)}`, { cookie: started.cookie })
  expectRefusedLogin(answer, 'provider_unavailable')
  expect(world.log()).toContain('"check":"response.kid"')
})
