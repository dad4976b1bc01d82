import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type FaultWorld, startFaultWorld } from '../../support/worlds/fault-world.ts'

type Line = Readonly<Record<string, unknown>>

let world: FaultWorld
beforeAll(async () => {
  world = await startFaultWorld({ SCOPE: 'openid' })
})
afterAll(() => world.stop())
afterEach(() => world.heal())

/** What the log advises; a busy machine may have made the first discovery time out. */
const remedies = (): readonly Line[] =>
  world
    .log()
    .split('\n')
    .filter((line) => line.includes('"remedy"'))
    .map((line) => JSON.parse(line) as Line)
    .filter(({ level, reason }) => level !== 'debug' && reason !== 'TimeoutError')

const described = 'The redirect_uri does not match the registered ones'

/** What the log advises of logins that fail, by the message. */
const advice = (): readonly unknown[] =>
  remedies().map(({ msg, remedy }) => (remedy === undefined ? undefined : msg))

describe('a wrong set-up is said in the log with the setting and the fix', () => {
  it('once, where no refresh token comes and none was asked for', async () => {
    world.provider.faults.token = (answer) => {
      Reflect.deleteProperty(answer, 'refresh_token')
      return undefined
    }
    await world.signIn()
    await world.signIn()
    expect(remedies()).toEqual([
      expect.objectContaining({
        level: 'warn',
        remedy: expect.stringContaining('Add offline_access to SCOPE'),
      }),
    ])
  })

  it.each([
    [
      'its token endpoint',
      () => {
        const body = { error: 'invalid_grant', error_description: described }
        world.provider.faults.token = () => ({ status: 400, body })
      },
      () => undefined,
    ],
    [
      'its answer to the browser',
      () => undefined,
      (query: URLSearchParams) => {
        query.delete('code')
        query.set('error', 'invalid_request')
        query.set('error_description', described)
      },
    ],
  ])('where the provider names our callback URL in %s', async (_where, prepare, change) => {
    prepare()
    expect((await world.logIn(change)).status).toBeGreaterThanOrEqual(400)
    expect(remedies()).toEqual([
      expect.objectContaining({
        providerErrorDescription: described,
        remedy: expect.stringMatching(
          /https:\/\/app\.example\.test\/callback, made of BASE_URL and AUTH_PREFIX/,
        ),
      }),
    ])
  })

  it('once, where our client is refused, and again when it was accepted in between', async () => {
    const refuse = (error: string) => {
      world.provider.faults.token = () => ({ status: 401, body: { error } })
    }
    refuse('invalid_client')
    for (let count = 0; count < 3; count += 1) expect((await world.logIn()).status).toBe(502)
    expect(advice()).toHaveLength(1)
    refuse('unauthorized_client')
    await world.logIn()
    expect(advice()).toHaveLength(2)
    world.heal()
    await world.signIn()
    refuse('invalid_client')
    await world.logIn()
    expect(advice()).toEqual([expect.stringContaining('refuses our client')])
  })

  it.each([
    ['a proof of possession', 'DPoP proof is missing', 'TOKEN_BINDING=dpop'],
    ['a key in place of the secret', 'Parameter client_assertion_type is missing', 'CLIENT_KEY_FILE'],
  ])('where the token endpoint demands %s, and no secret is blamed', async (_what, description, setting) => {
    const body = { error: 'invalid_client', error_description: description }
    world.provider.faults.token = () => ({ status: 401, body })
    expect((await world.logIn()).status).toBe(502)
    expect(remedies()).toEqual([
      expect.objectContaining({
        msg: expect.stringMatching(/^the identity provider demands/),
        remedy: expect.stringContaining(setting),
      }),
    ])
  })

  it('where pushed requests are demanded of this client alone, on the page as well', async () => {
    const deny = (name: string) => (query: URLSearchParams) => {
      query.delete('code')
      query.set('error', name)
      query.set('error_description', 'Pushed Authorization Request is only allowed.')
    }
    const page = await world.logIn(deny('invalid_request'))
    expect(page.text()).toContain('PUSHED_AUTHORIZATION_REQUESTS=on')
    expect(remedies()).toContainEqual(
      expect.objectContaining({ remedy: expect.stringContaining('PUSHED_AUTHORIZATION_REQUESTS=on') }),
    )
    expect((await world.logIn(deny('access_denied'))).text()).not.toContain('PUSHED_AUTHORIZATION_REQUESTS')
  })

  it('once, where the clocks differ', async () => {
    world.provider.faults.idToken = (claims) => {
      claims.iat = Number(claims.iat) + 600
      claims.exp = Number(claims.exp) + 600
    }
    for (let count = 0; count < 2; count += 1) expect((await world.logIn()).status).toBe(400)
    expect(world.log().match(/the clocks of gateway and identity provider differ/g)).toHaveLength(1)
  })

  it('once for each error about it that comes back without its state, from a browser or from a stranger', async () => {
    const stray = (query: URLSearchParams) => {
      query.delete('code')
      query.delete('state')
      query.set('error', 'invalid_target')
      query.set('error_description', 'no such audience')
    }
    for (let count = 0; count < 2; count += 1) expect((await world.logIn(stray)).status).toBe(400)
    expect(remedies()).toEqual([
      expect.objectContaining({
        level: 'warn',
        providerError: 'invalid_target',
        remedy: expect.stringContaining('does not know the API audience'),
      }),
    ])
    await world.request('GET', '/callback?error=access_denied&error_description=no')
    for (let count = 0; count < 20; count += 1)
      await world.request('GET', `/callback?error=e${count}&error_description=redirect_uri`)
    expect(remedies().length).toBeLessThanOrEqual(5)
  })

  it('once, where a login comes back to a browser without its cookie', async () => {
    for (const state of ['a', 'b']) await world.request('GET', `/callback?code=c&state=${state}`)
    expect(remedies()).toEqual([
      expect.objectContaining({ remedy: expect.stringContaining('https://app.example.test (BASE_URL)') }),
    ])
  })

  it('once for each of a few, where browsers take another origin for ours', async () => {
    const ask = (origin: string, site = 'same-origin') =>
      world.request('GET', '/session', { origin, 'sec-fetch-site': site, 'x-csrf': '1' })
    await ask('https://evil.example', 'cross-site')
    // The doctor's own question.
    await ask('https://other.invalid')
    expect(remedies()).toEqual([])
    for (let count = 0; count < 20; count += 1) {
      expect((await ask(`http://app.example.test:${8_000 + (count % 10)}`)).status).toBe(403)
    }
    expect(remedies().map(({ origin }) => origin)).toEqual(
      [0, 1, 2, 3, 4].map((port) => `http://app.example.test:${8_000 + port}`),
    )
    expect(remedies()[0]).toMatchObject({ remedy: expect.stringContaining('BASE_URL') })
  })
})
