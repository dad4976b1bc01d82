import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { newSigningKey, type ScriptedFaults, signWith } from '../../support/provider/scripted-provider.ts'
import { expectRefusedLogin, type FaultWorld, startFaultWorld } from '../../support/worlds/fault-world.ts'

let world: FaultWorld

beforeAll(async () => {
  world = await startFaultWorld()
})
afterAll(() => world.stop())
afterEach(() => world.heal())

type Line = Readonly<Record<string, unknown>>
const lines = (): readonly Line[] =>
  world
    .log()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
const refusal = (): Line => lines().findLast(({ audit }) => audit === 'login.refused') ?? {}

type Members = Record<string, unknown>
const claims = (changes: (now: number) => Members): ScriptedFaults => ({
  idToken: (all) => Object.assign(all, changes(Number(all.iat))),
})
const answered = (changes: Members): ScriptedFaults => ({
  token: (answer) => ({ body: { ...answer, ...changes } }),
})
const stranger = newSigningKey('key-unknown')
const number = expect.stringMatching(/^\d{10}$/)

describe('a refused login says which check failed, and both values', () => {
  it.each<readonly [string, () => ScriptedFaults, Line]>([
    [
      'iss',
      () => claims(() => ({ iss: 'https://other.test' })),
      { expected: expect.stringMatching(/^http:\/\/127/), received: 'https://other.test' },
    ],
    ['aud', () => claims(() => ({ aud: ['x', 'y'] })), { expected: 'gateway', received: 'x, y' }],
    ['azp', () => claims(() => ({ azp: 'other' })), { expected: 'gateway', received: 'other' }],
    ['exp', () => claims((now) => ({ exp: now - 900 })), { received: number }],
    [
      'iat',
      () => claims((now) => ({ iat: now - 1_000 })),
      { expected: expect.stringMatching(/^from \d+ to \d+$/), received: number },
    ],
    ['iat', () => claims((now) => ({ iat: now + 600, exp: now + 900 })), { received: number }],
    ['sub', () => claims(() => ({ sub: '' })), {}],
    ['auth_time', () => claims((now) => ({ auth_time: `${now}` })), { received: number }],
    ['auth_time', () => claims(() => ({ auth_time: -1 })), { received: '-1' }],
    ['auth_time', () => claims(() => ({ auth_time: null })), { received: 'none' }],
    ['format', () => answered({ id_token: undefined }), { expected: 'a signed JWT', received: 'none' }],
    ['format', () => answered({ id_token: '' }), { expected: 'a signed JWT', received: 'none' }],
    ['format', () => answered({ id_token: 7 }), { expected: 'a signed JWT', received: 'no text' }],
    ['at_hash', () => claims(() => ({ at_hash: 'AAAA' })), { received: 'AAAA' }],
    ['nonce', () => claims(() => ({ nonce: 'of-another-login' })), {}],
    [
      'alg',
      () => ({ signIdToken: (all) => world.provider.signWithPublicKey(all) }),
      { received: 'HS256', expected: expect.stringContaining('RS256') },
    ],
    [
      'kid',
      () => ({ signIdToken: async (all) => signWith(await stranger, all) }),
      { received: 'key-unknown' },
    ],
    [
      'signature',
      () => ({ signIdToken: async (all) => `${(await world.provider.sign(all)).slice(0, -8)}AAAAAAAA` }),
      {},
    ],
  ])('id_token.%s', async (check, faults, compared) => {
    Object.assign(world.provider.faults, faults())
    expectRefusedLogin(await world.logIn(), 'login_refused')
    expect(refusal()).toMatchObject({ code: 'login_refused', check: `id_token.${check}`, ...compared })
    if (check === 'nonce' || check === 'sub') expect(refusal()).not.toHaveProperty('received')
    expect(world.log()).not.toContain('of-another-login')
  })

  it('token.type', async () => {
    world.provider.faults.token = (answer) => ({ body: { ...answer, token_type: 'DPoP' } })
    expectRefusedLogin(await world.logIn(), 'login_refused')
    expect(refusal()).toMatchObject({ check: 'token.type', expected: 'Bearer', received: 'DPoP' })
  })

  it.each<readonly [string, Members, Line]>([
    ['type', { token_type: undefined }, { expected: 'Bearer', received: 'none' }],
    ['access_token', { access_token: undefined }, { received: 'none' }],
    ['access_token', { access_token: 7 }, { received: 'something else' }],
    ['access_token', { access_token: 'aaaa\r\nx: y' }, { received: 'something else' }],
    ['refresh_token', { refresh_token: 7 }, {}],
  ])('token.%s, of a token answer with %j', async (member, changes, compared) => {
    Object.assign(world.provider.faults, answered(changes))
    expectRefusedLogin(await world.logIn(), 'login_refused')
    expect(refusal()).toMatchObject({ check: `token.${member}`, ...compared })
  })

  it.each([['a state of another login', 'x'] as const, ['no state', undefined] as const])(
    'response.state, with %s, and never the state itself',
    async (_name, state) => {
      const sent = state === undefined ? '' : `state-of-nobody-${state}`
      await world.logIn((query) => (sent === '' ? query.delete('state') : query.set('state', sent)))
      expect(refusal()).toMatchObject({ code: 'login_state_invalid', check: 'response.state' })
      expect(refusal()).not.toHaveProperty('received')
      expect(world.log()).not.toContain('state-of-nobody')
    },
  )

  it.each(['id_token', 'token', 'access_token'])('response.mode, with %s beside the code', async (name) => {
    const before = world.provider.count('/token')
    expectRefusedLogin(await world.logIn((query) => query.set(name, 'a.b.c')), 'login_refused')
    expect(refusal()).toMatchObject({ check: 'response.mode', expected: 'a code alone', received: name })
    expect(world.provider.count('/token')).toBe(before)
  })

  it('response.iss', async () => {
    await world.logIn((query) => query.set('iss', 'https://other.test'))
    expect(refusal()).toMatchObject({ check: 'response.iss', received: 'https://other.test' })
  })

  it('the difference of the clocks, when that is what is wrong', async () => {
    // It is said once until a login works.
    await world.logIn()
    Object.assign(
      world.provider.faults,
      claims((now) => ({ iat: now - 1_600, exp: now - 1_000 })),
    )
    await world.logIn()
    const advice = lines().find(({ msg }) => String(msg).startsWith('the clocks of'))
    expect(advice?.level).toBe('error')
    expect(Number(advice?.differenceSeconds)).toBeGreaterThan(900)
  })
})

describe("the provider's own words", () => {
  it('are in the log and the audit event of a denied login, and not on the page', async () => {
    const answer = await world.logIn((query) => {
      query.delete('code')
      query.set('error', 'access_denied')
      query.set('error_description', 'AADSTS65004: \u202euser\u0007 declined')
      query.set('error_uri', 'https://login.test/e')
    })
    expect(answer.status).toBe(403)
    expect(answer.text()).toContain('You did not allow the sign-in')
    expect(answer.text()).not.toContain('AADSTS')
    expect(refusal()).toMatchObject({
      providerError: 'access_denied',
      providerErrorDescription: 'AADSTS65004: \\u202euser\\u0007 declined',
      providerErrorUri: 'https://login.test/e',
    })
  })

  it('are logged even when the answer has no state', async () => {
    const query = new URLSearchParams({
      error: 'invalid_request',
      error_description: 'AADSTS900144: missing',
    })
    const answer = await world.request('GET', `/callback?${query}`)
    expect({ status: answer.status, code: answer.json().code }).toEqual({
      status: 400,
      code: 'login_state_invalid',
    })
    expect(refusal()).toMatchObject({
      providerError: 'invalid_request',
      providerErrorDescription: 'AADSTS900144: missing',
    })
    expect(answer.text()).not.toContain('AADSTS')
  })

  it('never bring a token into the log: one that the provider repeats is masked, whole or cut', async () => {
    let issued = ''
    world.provider.faults.token = ({ access_token }) => {
      issued = String(access_token)
      const error_description = `invalid assertion ${issued} (key-1)`
      return { status: 400, body: { error: 'invalid_client', error_description } }
    }
    await world.logIn()
    expect(refusal().providerErrorDescription).toMatch(/^invalid assertion \[a token\]/)
    world.provider.faults.token = (answer) => ({ body: { ...answer, token_type: answer.access_token } })
    await world.logIn()
    expect(refusal()).toMatchObject({ check: 'token.type', received: '[a token]' })
    const [header = 'none', payload = 'none'] = issued.split('.')
    expect(world.log()).not.toContain(header)
    expect(world.log()).not.toContain(payload.slice(0, 40))
  })

  it.each([
    ['as it is', (value: string) => value],
    ['encoded as in an address', encodeURIComponent],
  ])('never bring what a login has sent into the log, %s', async (_how, spelt) => {
    const echo = (values: Iterable<string>) => ({
      error: 'invalid_grant',
      error_description: `no: ${[...values].map(spelt).join(' ')}`,
    })
    world.provider.faults.token = (_answer, form) => ({
      status: 400,
      body: echo(['code', 'code_verifier', 'client_secret'].map((name) => form.get(name) ?? 'nothing')),
    })
    await world.logIn()
    expect(refusal().providerErrorDescription).toBe('no: [a secret] [a secret] [a secret]')
    expect(world.leaks()).toEqual([])
  })

  it('never are a secret that we have sent, as the error itself or where its words end', async () => {
    world.provider.faults.token = (_answer, form) => {
      const secret = form.get('code') ?? ''
      return { body: { error: secret, error_description: `${'x'.repeat(290)}${secret}`, error_uri: secret } }
    }
    await world.logIn()
    expect(refusal()).toMatchObject({ reason: 'malformed_error', providerError: '[a secret]' })
    expect(refusal().providerErrorDescription).toMatch(/x\[a secret\]$/)
    expect(world.leaks()).toEqual([])
  })

  it('never bring a refresh token into the log', async () => {
    const cookie = await world.signIn()
    let sent = ''
    world.provider.faults.token = (_answer, form) => {
      sent = form.get('refresh_token') ?? ''
      return { status: 400, body: { error: 'invalid_client', error_description: `of another: ${sent}` } }
    }
    world.advance(700_000)
    await world.refresh(cookie)
    expect(sent).not.toBe('')
    expect(world.log()).toContain('of another: [a secret]')
    expect(world.log()).not.toContain(sent)
  })

  it('never bring state, code or the reference of a pushed request into the log, by the browser', async () => {
    let secrets: readonly string[] = []
    const change = (query: URLSearchParams) => {
      const reference = 'urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c'
      secrets = [query.get('code') ?? '', query.get('state') ?? '', '6esc_11ACC5bwc014ltc14eY22c']
      query.set('error', 'server_error')
      query.set(
        'error_description',
        `${query.get('state')} ${encodeURIComponent(query.get('state') ?? '')} ${reference}`,
      )
      query.delete('code')
    }
    await world.logIn(change)
    expect(refusal().providerErrorDescription).toBe(
      '[a secret] [a secret] urn:ietf:params:oauth:request_uri:[a secret]',
    )
    for (const secret of secrets) expect(world.log()).not.toContain(secret)
    expect(world.leaks()).toEqual([])
  })

  it('of an answer to no login never bring its own state or code into the log', async () => {
    const words = { error: 'x', error_description: 'of-nobody-1 of-nobody-2', state: 'of-nobody-1' }
    await world.request('GET', `/callback?${new URLSearchParams({ ...words, code: 'of-nobody-2' })}`)
    expect(refusal().providerErrorDescription).toBe('[a secret] [a secret]')
  })

  it('name the remedy when our client is refused', async () => {
    world.provider.faults.token = () => ({
      status: 401,
      body: { error: 'access_denied', error_description: 'Unauthorized' },
    })
    expectRefusedLogin(await world.logIn(), 'provider_rejected')
    expect(lines().find(({ level }) => level === 'error')).toMatchObject({
      providerError: 'access_denied',
      providerErrorDescription: 'Unauthorized',
      remedy: expect.stringContaining('CLIENT_SECRET'),
    })
  })

  it('are words of ours for known errors, and the code for unknown ones', async () => {
    const said = async (error: string) =>
      (
        await world.logIn((query) => {
          query.delete('code')
          query.set('error', error)
        })
      ).json().detail as string
    expect(await said('consent_required')).toMatch(/^You have not allowed/)
    expect(await said('made_up_error')).toBe('The identity provider answered with the error "made_up_error".')
    expect(await said('<script>')).toBe('The identity provider answered with an error.')
  })
})

describe('a refused logout token', () => {
  it.each<readonly [string, Members, Members, Line]>([
    ['aud', { aud: 'other' }, {}, { expected: 'gateway', received: 'other' }],
    ['iss', { iss: 'https://other.test' }, {}, { received: 'https://other.test' }],
    ['iat', { iat: 1 }, {}, { received: '1' }],
    ['typ', {}, { typ: 'at+jwt' }, { received: 'at+jwt' }],
    ['kid', {}, { kid: 'unknown' }, { received: 'unknown' }],
  ])('says logout_token.%s in its audit event', async (check, changes, header, compared) => {
    const token = await world.provider.logoutToken(changes, header)
    const answer = await world.request(
      'POST',
      '/backchannel-logout',
      { 'content-type': 'application/x-www-form-urlencoded' },
      `${new URLSearchParams({ logout_token: token })}`,
    )
    expect(answer.status).toBe(400)
    const audit = lines().findLast((line) => line.audit === 'logout.backchannel')
    expect(audit).toMatchObject({ outcome: 'invalid', check: `logout_token.${check}`, ...compared })
  })
})

it('front-channel logout without iss is of the one provider, and of another it is refused', async () => {
  const cookie = await world.signIn()
  const other = await world.request('GET', '/frontchannel-logout?iss=https://other.test&sid=sid-1')
  expect(other.status).toBe(400)
  expect(await world.isSignedIn(cookie)).toBe(true)
  expect((await world.request('GET', '/frontchannel-logout?sid=sid-1')).status).toBe(200)
  expect(await world.isSignedIn(cookie)).toBe(false)
})
