import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { LogoutTokenError } from '../../../src/oidc/logout/logout-token.ts'
import type { Provider } from '../../../src/oidc/provider/provider.ts'
import { logIn, openProvider } from '../../support/provider/scripted-login.ts'
import {
  newSigningKey,
  type ScriptedProvider,
  signWith,
  startScriptedProvider,
  unsigned,
} from '../../support/provider/scripted-provider.ts'

const minuteMs = 60_000

let scripted: ScriptedProvider
let provider: Provider
let nowMs: number
let latestMs = 0
const seconds = (): number => Math.floor(nowMs / 1_000)

beforeAll(async () => {
  nowMs = Date.now()
  scripted = await startScriptedProvider()
  provider = openProvider(scripted, {}, () => nowMs)
  await logIn(scripted, provider)
})

afterAll(async () => {
  await provider.close()
  await scripted.stop()
})

beforeEach(() => {
  // Every test finds full budgets.
  nowMs = Math.max(nowMs, latestMs) + minuteMs
  latestMs = nowMs
})

const sessionOfAlice = async ({ providerSessionId }: { providerSessionId: string | undefined }) =>
  providerSessionId === 'sid-1'
const verify = (token: string) => provider.verifyLogoutToken(token, sessionOfAlice)
const event = 'http://schemas.openid.net/event/backchannel-logout'
const timely = (changes: object = {}) => ({ iat: seconds(), exp: seconds() + 120, ...changes })

describe('a logout token', () => {
  it.each([
    ['without a typ', {}, {}],
    ['of typ logout+jwt', {}, { typ: 'logout+jwt' }],
    ['of typ application/logout+jwt', {}, { typ: 'application/logout+jwt' }],
    ['of typ JWT', {}, { typ: 'JWT' }],
    ['without exp', { exp: undefined }, {}],
    ['for several audiences', { aud: ['other', 'gateway'] }, {}],
    ['with sid alone', { sub: undefined }, {}],
    ['with sub alone', { sid: undefined }, {}],
    ['with claims nobody knows', { trace_id: 'x', ext: { deep: [1] } }, {}],
    ['with members in the event', { events: { [event]: { reason: 'x' } } }, {}],
    ['60 s ahead', { iat: 59 }, {}],
    ['600 s old', { iat: -599 }, {}],
  ])('%s is accepted', async (_name, changes, header) => {
    const shift = 'iat' in changes ? { iat: seconds() + Number(changes.iat) } : {}
    const token = await scripted.logoutToken({ ...timely(), ...changes, ...shift }, header)
    await expect(verify(token)).resolves.toMatchObject({ issuer: scripted.issuer })
  })

  const wrong: readonly (readonly [name: string, changes: () => object, header?: Record<string, unknown>])[] =
    [
      ['of another issuer', () => ({ iss: `${scripted.issuer}1` })],
      ['of the issuer with a slash', () => ({ iss: `${scripted.issuer}/` })],
      ['without issuer', () => ({ iss: undefined })],
      ['for another audience', () => ({ aud: 'gateway1' })],
      ['without audience', () => ({ aud: undefined })],
      ['for nobody', () => ({ aud: [] })],
      ['without events', () => ({ events: undefined })],
      ['with other events', () => ({ events: { [`${event}1`]: {} } })],
      ['with events as an array', () => ({ events: [event] })],
      ['with the event as text', () => ({ events: { [event]: 'yes' } })],
      ['with the event as an array', () => ({ events: { [event]: [] } })],
      ['with the event as null', () => ({ events: { [event]: null } })],
      ['with a nonce', () => ({ nonce: 'n' })],
      ['with an empty nonce', () => ({ nonce: null })],
      ['without iat', () => ({ iat: undefined })],
      ['with iat as text', () => ({ iat: `${seconds()}` })],
      ['from the future', () => ({ iat: seconds() + 90 })],
      ['that is old', () => ({ iat: seconds() - 660 })],
      ['that has expired', () => ({ exp: seconds() - 60 })],
      ['that is not valid yet', () => ({ nbf: seconds() + 60 })],
      ['without jti', () => ({ jti: undefined })],
      ['with an empty jti', () => ({ jti: '' })],
      ['with jti as a number', () => ({ jti: 7 })],
      ['with an endless jti', () => ({ jti: 'j'.repeat(600) })],
      ['with neither sub nor sid', () => ({ sub: undefined, sid: undefined })],
      ['with an empty sid', () => ({ sid: '' })],
      ['with sid as an array', () => ({ sid: ['sid-1'] })],
      ['with sub as a number', () => ({ sub: 1 })],
      ['of typ at+jwt', () => ({}), { typ: 'at+jwt' }],
      ['of typ id_token+jwt', () => ({}), { typ: 'id_token+jwt' }],
      ['of typ secevent+jwt', () => ({}), { typ: 'secevent+jwt' }],
      ['with a critical header nobody knows', () => ({}), { crit: ['x'], x: 1 }],
    ]
  it.each(wrong.map(([name, changes, header = {}]) => ({ name, changes, header })))(
    '$name is refused',
    async ({ changes, header }) => {
      const token = await scripted.logoutToken({ ...timely(), ...changes() }, header)
      await expect(verify(token)).rejects.toBeInstanceOf(LogoutTokenError)
      // The positive control: the same provider, a moment later.
      await expect(verify(await scripted.logoutToken(timely()))).resolves.toBeDefined()
    },
  )

  it('that is an ID token is refused', async () => {
    const { idToken } = await logIn(scripted, openProvider(scripted))
    await expect(verify(idToken)).rejects.toBeInstanceOf(LogoutTokenError)
  })

  const claims = () => ({
    ...timely(),
    iss: scripted.issuer,
    aud: 'gateway',
    sid: 'sid-1',
    jti: 'j',
    events: { [event]: {} },
  })
  const forgeries: readonly (readonly [string, () => Promise<string> | string])[] = [
    ['that nobody signed', () => unsigned(claims(), { alg: 'none' })],
    ['that nobody signed, in capitals', () => unsigned(claims(), { alg: 'NONE' })],
    ['signed with the public key as a secret', () => scripted.signWithPublicKey(claims())],
    ['signed by another with our key id', async () => signWith(await newSigningKey('key-1'), claims())],
    ['signed by another with its own key', async () => signWith(await newSigningKey('key-x'), claims())],
    [
      'that brings its own key',
      async () => {
        const forger = await newSigningKey('key-y')
        return signWith(forger, claims(), { jwk: forger.jwk, kid: undefined })
      },
    ],
    ['with a broken signature', async () => `${(await scripted.logoutToken(timely())).slice(0, -6)}AAAAAA`],
    ['in five parts', () => 'a.b.c.d.e'],
    ['in two parts', () => 'a.b'],
    ['that is no JWT', () => 'nothing'],
    ['that is too long', async () => scripted.logoutToken(timely({ pad: 'x'.repeat(17_000) }))],
  ]
  it.each(forgeries)('%s is refused', async (_name, make) => {
    await expect(verify(await make())).rejects.toBeInstanceOf(LogoutTokenError)
  })
})

describe('the key of a logout token', () => {
  const sendForgeries = async (count: number, changes: object): Promise<void> => {
    const forger = await newSigningKey('forged')
    const claims = { iss: scripted.issuer, aud: 'gateway', events: { [event]: {} }, ...timely() }
    for (let number = 0; number < count; number += 1) {
      const header = { kid: `forged-${number}` }
      const forged = await signWith(forger, { ...claims, jti: `${number}`, ...changes }, header)
      await expect(verify(forged)).rejects.toBeInstanceOf(LogoutTokenError)
    }
  }

  it('is fetched when it is new', async () => {
    await scripted.rotateKeys()
    await expect(verify(await scripted.logoutToken(timely()))).resolves.toMatchObject({ subject: 'alice' })
  })

  it('is never fetched for a token that is wrong anyway', async () => {
    const before = scripted.count('/jwks')
    await sendForgeries(3, { sub: 'x', iat: seconds() - 700 })
    await sendForgeries(3, { sub: 'x', aud: 'other' })
    await sendForgeries(3, {})
    expect(scripted.count('/jwks')).toBe(before)
  })

  it('is looked for once per cool-down for all forgeries that name no session', async () => {
    const before = scripted.count('/jwks')
    await sendForgeries(8, { sub: 'nobody' })
    expect(scripted.count('/jwks')).toBe(before + 1)
    nowMs += 30_000
    await sendForgeries(3, { sid: 'no-session' })
    expect(scripted.count('/jwks')).toBe(before + 2)
  })

  it('is looked for once per cool-down for forgeries that name one session', async () => {
    const before = scripted.count('/jwks')
    await sendForgeries(8, { sid: 'sid-1' })
    expect(scripted.count('/jwks')).toBe(before + 1)
  })

  it('is found at once for a genuine logout in the middle of a flood of forgeries', async () => {
    await sendForgeries(8, { sub: 'nobody' })
    await scripted.rotateKeys()
    await expect(verify(await scripted.logoutToken(timely()))).resolves.toMatchObject({ subject: 'alice' })
  })

  it('of a login is found in the middle of a flood of forgeries', async () => {
    const ownClock = provider
    provider = openProvider(scripted)
    nowMs = Date.now()
    await logIn(scripted, provider)
    await sendForgeries(8, { sub: 'nobody' })
    await sendForgeries(8, { sid: 'sid-1' })
    await scripted.rotateKeys()
    await expect(logIn(scripted, provider)).resolves.toMatchObject({ identity: { subject: 'alice' } })
    await provider.close()
    provider = ownClock
  })

  it('that cannot be had makes the provider repeat, and is looked for again then', async () => {
    await scripted.rotateKeys()
    const token = await scripted.logoutToken(timely())
    scripted.faults.keys = () => ({ status: 503 })
    await expect(verify(token)).rejects.toMatchObject({ code: 'provider_unavailable' })
    delete scripted.faults.keys
    await expect(verify(token)).resolves.toMatchObject({ subject: 'alice' })
  })

  it('is looked for as for a stranger when the store does not answer', async () => {
    await scripted.rotateKeys()
    const token = await scripted.logoutToken(timely())
    const broken = async () => Promise.reject(new Error('the store is down'))
    await expect(provider.verifyLogoutToken(token, broken)).resolves.toMatchObject({ subject: 'alice' })
  })
})
