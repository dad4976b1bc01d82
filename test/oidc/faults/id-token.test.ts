import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  newSigningKey,
  type ScriptedFaults,
  signWith,
  unsigned,
} from '../../support/provider/scripted-provider.ts'
import {
  expectFailedLogin,
  type FaultWorld,
  sessionCookieOf,
  startFaultWorld,
} from '../../support/worlds/fault-world.ts'

let world: FaultWorld

beforeAll(async () => {
  world = await startFaultWorld()
})
afterAll(() => world.stop())
afterEach(() => world.heal())

type Members = Record<string, unknown>
type Fault = () => ScriptedFaults

const claims =
  (change: (nowSeconds: number, claims: Members) => Members): Fault =>
  () => ({ idToken: (all) => Object.assign(all, change(Number(all.iat), all)) })
const header =
  (changes: Members): Fault =>
  () => ({ idToken: (_claims, all) => Object.assign(all, changes) })
const signed =
  (signIdToken: NonNullable<ScriptedFaults['signIdToken']>): Fault =>
  () => ({ signIdToken })
/** Signed as it should be, claims rewritten as text. */
const rewritten = (change: (json: string) => string) =>
  signed((all, headers) => world.provider.signText(change(JSON.stringify(all)), headers))

const forger = newSigningKey('key-1')
const stranger = newSigningKey('key-unknown')
const issuer = () => world.provider.issuer
const elsewhere = { jku: 'http://127.0.0.1:9/', x5u: 'http://127.0.0.1:9/' }
const deep = `${'['.repeat(15_000)}${']'.repeat(15_000)}`

const refused: readonly (readonly [string, Fault])[] = [
  ['of another issuer', claims(() => ({ iss: 'https://other.example.test' }))],
  ['of the issuer with a slash', claims(() => ({ iss: `${issuer()}/` }))],
  ['of the issuer in capitals', claims(() => ({ iss: issuer().toUpperCase() }))],
  ['without issuer', claims(() => ({ iss: undefined }))],
  ['with the issuer in an array', claims(() => ({ iss: [issuer()] }))],
  ['for another client', claims(() => ({ aud: 'gateway1' }))],
  ['without audience', claims(() => ({ aud: undefined }))],
  ['for nobody', claims(() => ({ aud: [] }))],
  ['for us and another, without azp', claims(() => ({ aud: ['gateway', 'other'] }))],
  ['for us and another, azp the other', claims(() => ({ aud: ['gateway', 'other'], azp: 'other' }))],
  ['for us, with a foreign azp', claims(() => ({ azp: 'other' }))],
  ['without subject', claims(() => ({ sub: undefined }))],
  ['with an empty subject', claims(() => ({ sub: '' }))],
  ['with a subject that is a number', claims(() => ({ sub: 7 }))],
  ['with a subject that is an array', claims(() => ({ sub: ['alice'] }))],
  ['with an endless subject', claims(() => ({ sub: 's'.repeat(256) }))],
  ['without nonce', claims(() => ({ nonce: undefined }))],
  ['with another nonce', claims(() => ({ nonce: 'other' }))],
  ['with the nonce in an array', claims((_now, { nonce }) => ({ nonce: [nonce] }))],
  ['that has expired', claims((now) => ({ exp: now - 60 }))],
  ['without exp', claims(() => ({ exp: undefined }))],
  ['with exp as text', claims((now) => ({ exp: `${now + 600}` }))],
  ['without iat', claims(() => ({ iat: undefined }))],
  ['with iat as text', claims((now) => ({ iat: `${now}` }))],
  ['from the future', claims((now) => ({ iat: now + 120 }))],
  ['from long ago', claims((now) => ({ iat: now - 1_200 }))],
  ['that is not valid yet', claims((now) => ({ nbf: now + 120 }))],
  ['with the hash of another access token', claims(() => ({ at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' }))],
  ['with the claims of a logout token', claims(() => ({ events: {} }))],
  ['with auth_time as text', claims(() => ({ auth_time: 'now' }))],
  ['with claims that nest without end', rewritten((json) => json.replace('"Alice"', deep))],
  ['of 70,000 bytes', claims(() => ({ name: 'x'.repeat(70_000) }))],
  ['of typ at+jwt', header({ typ: 'at+jwt' })],
  ['of typ logout+jwt', header({ typ: 'logout+jwt' })],
  ['of typ dpop+jwt', header({ typ: 'dpop+jwt' })],
  ['of typ secevent+jwt', header({ typ: 'application/secevent+jwt' })],
  ['with a critical header', header({ crit: ['x'], x: 1 })],
  ['that nobody signed', signed((all) => unsigned(all, { alg: 'none' }))],
  ['that nobody signed, with our key id', signed((all) => unsigned(all, { alg: 'nOnE', kid: 'key-1' }))],
  ['signed with the public key as a secret', signed((all) => world.provider.signWithPublicKey(all))],
  ['with a broken signature', signed(async (all) => broken(await world.provider.sign(all)))],
  ['without its signature', signed(async (all) => (await world.provider.sign(all)).replace(/[^.]+$/, ''))],
  ['with a blank behind it', signed(async (all) => `${await world.provider.sign(all)} `)],
  [
    'with a line break in its signature',
    signed(async (all) => (await world.provider.sign(all)).replace(/.{8}$/, '\n$&')),
  ],
  ['with the padding of base64', signed(async (all) => `${await world.provider.sign(all)}==`)],
  ['signed by another with our key id', signed(async (all) => signWith(await forger, all))],
  ['signed by another with its own key id', signed(async (all) => signWith(await stranger, all))],
  [
    'that brings its own key',
    signed(async (all) => signWith(await stranger, all, { jwk: (await stranger).jwk })),
  ],
  ['that names keys elsewhere', signed(async (all) => signWith(await stranger, all, elsewhere))],
]

const broken = (jwt: string): string => `${jwt.slice(0, -8)}AAAAAAAA`

it.each(refused)('an ID token %s refuses the login', async (_name, fault) => {
  Object.assign(world.provider.faults, fault())
  await expectFailedLogin(world, 'login_refused')
})

it('an ID token that a shared secret has signed is explained in the log', async () => {
  world.provider.faults.signIdToken = (all) => world.provider.signWithPublicKey(all)
  await world.logIn()
  expect(world.log()).toMatch(/"algorithm":"HS256".*sign ID tokens of this client with RS256/)
})

const accepted: readonly (readonly [string, Fault])[] = [
  ['for us alone in an array', claims(() => ({ aud: ['gateway'] }))],
  ['for us and another, azp ourselves', claims(() => ({ aud: ['other', 'gateway'], azp: 'gateway' }))],
  ['25 s in the future', claims((now) => ({ iat: now + 25, nbf: now + 25 }))],
  ['25 s past its end', claims((now) => ({ exp: now - 25 }))],
  ['that lives long', claims(() => ({ exp: 1e12 }))],
  ['without sid', claims(() => ({ sid: undefined }))],
  ['with a sid that is a number', claims(() => ({ sid: 7 }))],
  ['with an end of the session in milliseconds', claims((now) => ({ session_expiry: now * 1_000 }))],
  ['of typ JWT', header({ typ: 'JWT' })],
  ['that names keys elsewhere, signed by ours', header(elsewhere)],
  ['with claims of the prototype', rewritten((json) => json.replace('{', '{"__proto__":{"sub":"mallory"},'))],
]

it.each(accepted)('an ID token %s is accepted', async (_name, fault) => {
  Object.assign(world.provider.faults, fault())
  const cookie = sessionCookieOf(await world.logIn()) ?? ''
  const answer = await world.request('GET', '/session', { cookie, 'x-csrf': '1' })
  expect(answer.json()).toMatchObject({ authenticated: true, user: { sub: 'alice' } })
  expect(world.leaks()).toEqual([])
})

describe('an ID token of a provider that', () => {
  it('announces other algorithms is refused', async () => {
    const other = await startFaultWorld({}, ({ faults }) => {
      faults.discovery = (metadata) => ({ ...metadata, id_token_signing_alg_values_supported: ['ES256'] })
    })
    try {
      expect((await other.logIn()).json()).toMatchObject({ code: 'login_refused' })
    } finally {
      await other.stop()
    }
  })

  it.each([[undefined], [['none', 'HS256', 'RS256']]])(
    'announces %j as its algorithms is accepted',
    async (list) => {
      const other = await startFaultWorld({}, ({ faults }) => {
        faults.discovery = (metadata) => ({ ...metadata, id_token_signing_alg_values_supported: list })
      })
      try {
        expect(sessionCookieOf(await other.logIn())).toBeDefined()
        other.provider.faults.signIdToken = (all) => unsigned(all, { alg: 'none' })
        expect((await other.logIn()).json()).toMatchObject({ code: 'login_refused' })
        other.provider.faults.signIdToken = (all) => other.provider.signWithPublicKey(all)
        expect((await other.logIn()).json()).toMatchObject({ code: 'login_refused' })
      } finally {
        await other.stop()
      }
    },
  )
})
