import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import {
  newSigningKey,
  type ScriptedAnswer,
  type ScriptedFaults,
  signWith,
  unsigned,
} from '../../support/provider/scripted-provider.ts'
import { type FaultWorld, startFaultWorld } from '../../support/worlds/fault-world.ts'

let world: FaultWorld
let cookie: string

beforeAll(async () => {
  world = await startFaultWorld()
})
afterAll(() => world.stop())
beforeEach(async () => {
  cookie = await world.signIn()
  // The access token has expired.
  world.advance(700_000)
})
afterEach(() => world.heal())

type Members = Readonly<Record<string, unknown>>
type Token = (answer: Members) => ScriptedAnswer

const failed =
  (status: number, error: unknown, headers = {}): (() => ScriptedFaults) =>
  () => ({ token: () => ({ status, body: { error }, headers }) })
const answered = (status: number, body: unknown) => (): ScriptedFaults => ({
  token: () => ({ status, body }),
})
const token = (fault: Token) => (): ScriptedFaults => ({ token: fault })
const changed = (changes: Members) => token((answer) => ({ body: { ...answer, ...changes } }))
const idToken =
  (changes: (now: number) => Members): (() => ScriptedFaults) =>
  () => ({ idToken: (claims) => Object.assign(claims, changes(Number(claims.iat))) })
const forger = newSigningKey('key-1')

/** The refresh token of the last request for tokens, and the one that its answer brought. */
const lastSent = () =>
  world.provider.requests.findLast(({ path }) => path === '/token')?.form.get('refresh_token') ?? ''
const lastIssued = () => world.provider.issued.findLast((each) => each.startsWith('rt-')) ?? ''

async function expectRefresh(status: number, code: string): Promise<void> {
  const startedAtMs = performance.now()
  const answer = await world.refresh(cookie)
  expect(performance.now() - startedAtMs).toBeLessThan(world.timeoutMs * 2 + 1_500)
  expect({ status: answer.status, code: answer.json().code }).toEqual({ status, code })
  expect(answer.setCookies).toEqual([])
  expect(world.leaks()).toEqual([])
}

/** Long enough for every pause after a failure. */
const laterMs = 70_000

it.each<readonly [string, () => ScriptedFaults]>([
  ['invalid_grant', failed(400, 'invalid_grant')],
  ['invalid_grant with 403', failed(403, 'invalid_grant')],
  ['invalid_grant with 200', failed(200, 'invalid_grant')],
  ['invalid_grant in a challenge', failed(401, 'invalid_grant', { 'www-authenticate': 'Basic' })],
  ['login_required', failed(400, 'login_required')],
  ['access_denied', failed(403, 'access_denied')],
])('a refresh that is refused by %s ends the session', async (_name, fault) => {
  Object.assign(world.provider.faults, fault())
  await expectRefresh(401, 'refresh_refused')
  expect(await world.isSignedIn(cookie)).toBe(false)
})

it.each<readonly [string, () => ScriptedFaults]>([
  ['of another user', idToken(() => ({ sub: 'mallory' }))],
  ['of another issuer', idToken(() => ({ iss: 'https://other.example.test' }))],
  ['for another client', idToken(() => ({ aud: 'other' }))],
  ['for several, one of them another', idToken(() => ({ aud: ['gateway', 'other'] }))],
  ['that has expired', idToken((now) => ({ exp: now - 1_000 }))],
  ['without a subject', idToken(() => ({ sub: undefined }))],
  ['from the future', idToken((now) => ({ iat: now + 600 }))],
  ['that nobody signed', () => ({ signIdToken: (claims) => unsigned(claims, { alg: 'none' }) })],
  ['that another signed', () => ({ signIdToken: async (claims) => signWith(await forger, claims) })],
  ['that is a logout token', idToken(() => ({ events: {} }))],
  ['that is no JWT', changed({ id_token: 'x.y' })],
  ['that is a number', changed({ id_token: 7 })],
])(
  'a refresh that brings an ID token %s ends the session, and what it brought is revoked',
  async (_name, fault) => {
    Object.assign(world.provider.faults, fault())
    await expectRefresh(401, 'refresh_refused')
    expect(await world.isSignedIn(cookie)).toBe(false)
    await eventually(() => expect(world.revoked()).toContain(lastIssued()))
  },
)

it.each<readonly [string, () => ScriptedFaults]>([
  ['of type DPoP', changed({ token_type: 'DPoP' })],
  ['of no type', changed({ token_type: undefined })],
  ['with a line break', changed({ access_token: 'a\r\nb' })],
  ['that is a number', changed({ access_token: 7 })],
])('a refresh that brings an access token %s ends the session', async (_name, fault) => {
  Object.assign(world.provider.faults, fault())
  await expectRefresh(401, 'refresh_refused')
  expect(await world.isSignedIn(cookie)).toBe(false)
})

it.each([
  ['7', '7'],
  [new Date(1_900_000_007_000).toUTCString(), '7'],
  [new Date(1_899_999_000_000).toUTCString(), '1'],
  ['soon', '1'],
])('a 429 with Retry-After %j is told as %s s', async (retryAfter, told) => {
  const headers = { 'retry-after': retryAfter, date: new Date(1_900_000_000_000).toUTCString() }
  Object.assign(world.provider.faults, failed(429, 'slow_down', headers)())
  const answer = await world.refresh(cookie)
  expect([answer.status, answer.headers['retry-after']]).toEqual([503, told])
})

it.each<readonly [string, number, string, () => ScriptedFaults]>([
  ['interaction_required', 401, 'step_up_required', failed(400, 'interaction_required')],
  ['consent_required', 401, 'step_up_required', failed(400, 'consent_required')],
  ['mfa_required', 401, 'step_up_required', failed(403, 'mfa_required')],
  ['invalid_client', 502, 'provider_rejected', failed(401, 'invalid_client')],
  ['access_denied with 401', 502, 'provider_rejected', failed(401, 'access_denied')],
  ['unauthorized_client', 502, 'provider_rejected', failed(400, 'unauthorized_client')],
  ['invalid_scope', 502, 'provider_rejected', failed(400, 'invalid_scope')],
  ['a page with 404', 502, 'provider_rejected', answered(404, '<html>')],
  ['429', 503, 'provider_unavailable', failed(429, 'slow_down', { 'retry-after': '7' })],
  ['500 invalid_grant', 503, 'provider_unavailable', failed(500, 'invalid_grant')],
  ['503', 503, 'provider_unavailable', answered(503, '')],
  ['408', 503, 'provider_unavailable', answered(408, '')],
  ['temporarily_unavailable', 503, 'provider_unavailable', failed(400, 'temporarily_unavailable')],
  ['a redirect', 503, 'provider_unavailable', answered(302, '')],
  ['a page with 200', 503, 'provider_unavailable', answered(200, '<html>')],
  ['nothing', 503, 'provider_unavailable', answered(200, '')],
  ['an array', 503, 'provider_unavailable', answered(200, '[]')],
  ['an empty object', 503, 'provider_unavailable', answered(200, {})],
  ['half an answer', 503, 'provider_unavailable', answered(200, '{"access_token":"x')],
  [
    'a broken connection',
    503,
    'provider_unavailable',
    token(() => ({ send: (response) => response.destroy() })),
  ],
  ['silence', 503, 'provider_unavailable', token(() => ({ send: () => undefined }))],
  [
    'a strange status',
    503,
    'provider_unavailable',
    token(() => ({ send: (response) => response.writeHead(799).end('{}') })),
  ],
])('a refresh that is answered by %s keeps the session: %i %s', async (_name, status, code, fault) => {
  Object.assign(world.provider.faults, fault())
  await expectRefresh(status, code)
  expect(await world.isSignedIn(cookie)).toBe(true)
  const sent = lastSent()
  world.heal()
  world.advance(laterMs)
  expect((await world.refresh(cookie)).status).toBe(200)
  expect(lastSent()).toBe(sent)
})

it.each<readonly [string, () => ScriptedFaults]>([
  ['opaque', changed({ access_token: 'opaque-1234567' })],
  ['encrypted', changed({ access_token: 'eyJhbGciOiJkaXIifQ..aaaa.bbbb.cccc' })],
  [
    'for another API',
    () => ({ accessToken: (claims) => void Object.assign(claims, { aud: 'https://other.example' }) }),
  ],
  ['for nobody', () => ({ accessToken: (claims) => void Object.assign(claims, { aud: [] }) })],
])(
  'a refreshed access token that is %s keeps the session, and the rotated refresh token',
  async (_name, fault) => {
    Object.assign(world.provider.faults, fault())
    await expectRefresh(502, 'access_token_unusable')
    expect(await world.isSignedIn(cookie)).toBe(true)
    const rotated = lastIssued()
    world.heal()
    world.advance(laterMs)
    expect((await world.refresh(cookie)).status).toBe(200)
    expect(lastSent()).toBe(rotated)
  },
)

it.each<readonly [string, () => ScriptedFaults, 'the new' | 'the old']>([
  ['everything', () => ({}), 'the new'],
  ['no refresh token', changed({ refresh_token: undefined }), 'the old'],
  ['null for a refresh token', changed({ refresh_token: null }), 'the old'],
  ['an empty refresh token', changed({ refresh_token: '' }), 'the old'],
  ['no ID token', changed({ id_token: undefined }), 'the new'],
  ['null for an ID token', changed({ id_token: null }), 'the new'],
  ['no expires_in', changed({ expires_in: undefined }), 'the new'],
  ['an endless life', changed({ expires_in: 1e300 }), 'the new'],
  ['a null scope', changed({ scope: null }), 'the new'],
  ['an ID token without sid and nonce', idToken(() => ({ sid: undefined, nonce: undefined })), 'the new'],
  ['an ID token with another sid', idToken(() => ({ sid: 'sid-2' })), 'the new'],
  ['an ID token of an hour ago', idToken((now) => ({ iat: now - 3_600 })), 'the new'],
  [
    'an access token for several APIs',
    () => ({
      accessToken: (claims) => void Object.assign(claims, { aud: ['https://api.example.test', 'x'] }),
    }),
    'the new',
  ],
])('a refresh that brings $0 works, and $2 refresh token is next', async (_name, fault, which) => {
  Object.assign(world.provider.faults, fault())
  const answer = await world.refresh(cookie)
  expect(answer.json()).toMatchObject({ authenticated: true, user: { sub: 'alice', name: 'Alice' } })
  const next = which === 'the new' ? lastIssued() : lastSent()
  world.heal()
  world.advance(700_000)
  expect((await world.refresh(cookie)).status).toBe(200)
  expect(lastSent()).toBe(next)
})

it('a session whose refreshed ID token has another sid still ends by the first', async () => {
  world.provider.faults.idToken = (claims) => Object.assign(claims, { sid: 'sid-2' })
  await world.refresh(cookie)
  world.heal()
  const logout = `${new URLSearchParams({ logout_token: await world.provider.logoutToken() })}`
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  expect((await world.request('POST', '/backchannel-logout', headers, logout)).status).toBe(200)
  expect(await world.isSignedIn(cookie)).toBe(false)
})
