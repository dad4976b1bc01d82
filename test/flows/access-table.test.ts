import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type ArrivedRequest, valuesOf } from '../support/api/upstream.ts'
import type { Answer } from '../support/exchange.ts'
import type { ScriptedAnswer } from '../support/provider/scripted-provider.ts'
import { type AccessWorld, ownPage, startAccessWorld } from '../support/worlds/access-world.ts'

const kinds = ['user', 'exchange', 'client', 'gateway', 'none'] as const
type Kind = (typeof kinds)[number]

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'
const onBehalfOf = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const issuedType = 'urn:ietf:params:oauth:token-type:access_token'

let world: AccessWorld
/** Instead of what the provider would answer to a grant of this type. */
let grants: Record<string, ((form: URLSearchParams) => ScriptedAnswer | undefined) | undefined> = {}

beforeAll(async () => {
  const callers = ['session', 'bearer']
  world = await startAccessWorld(
    [
      ...kinds.flatMap((token) => [
        { prefix: `/${token}`, token, callers, identityHeaders: { 'X-User': 'sub', 'x-name': 'name' } },
        {
          prefix: `/${token}-met`,
          token,
          callers,
          require: { permissions: ['read'], acr: ['gold', 'silver'] },
        },
        { prefix: `/${token}-unmet`, token, callers, require: { permissions: ['read', 'write'] } },
        { prefix: `/${token}-optional`, token, callers, auth: 'optional' },
      ]),
      { prefix: '/orders', token: 'exchange', audience: 'orders-api' },
      { prefix: '/entra', token: 'exchange', audience: 'entra-api', exchange: { profile: 'on-behalf-of' } },
      { prefix: '/machines', callers: ['bearer'], token: 'none' },
      { prefix: '/public', auth: 'none', token: 'client', audience: 'public-api' },
      { prefix: '/posted', auth: 'none', token: 'client', methods: ['GET', 'POST'], audience: 'public-api' },
      { prefix: '/plain' },
      { prefix: '/minted', token: 'gateway', claims: ['name', '/realm/roles'] },
      { prefix: '/strong', require: { acr: 'gold' } },
      { prefix: '/fresh', require: { maxAge: 60 } },
      { prefix: '/either', require: { any: [{ access_token_nothing: 'x' }, { '/realm/roles': 'admin' }] } },
    ],
    { RATE_LIMIT: 'off' },
  )
  world.provider.faults.accessToken = (claims) => {
    claims.permissions = ['read']
    return undefined
  }
  world.provider.faults.idToken = (claims) => {
    claims.acr = 'silver'
    claims.auth_time = Math.floor(world.nowMs() / 1_000)
    claims.realm = { roles: ['admin', 'user'] }
  }
  world.provider.faults.token = (answer, form) => {
    const type = form.get('grant_type') ?? ''
    const scripted = grants[type]?.(form)
    if (scripted !== undefined) return scripted
    if (type === exchangeGrant) {
      const { access_token, token_type, expires_in } = answer
      return { body: { access_token, token_type, expires_in, issued_token_type: issuedType } }
    }
    return undefined
  }
}, 60_000)
afterAll(() => world.stop())
afterEach(() => {
  grants = {}
})

const withCookie = (cookie: string) => ({ cookie, ...ownPage })
const withToken = (token: string) => ({ authorization: `Bearer ${token}` })
const codeOf = (answer: Answer): unknown => (answer.body.length === 0 ? undefined : answer.json().code)
const sent = (arrived: ArrivedRequest | undefined): string | undefined =>
  arrived === undefined ? undefined : valuesOf(arrived, 'authorization')[0]

/** The payload of a token that the API was sent. */
function payloadOf(arrived: ArrivedRequest | undefined): Record<string, unknown> {
  const [, payload = ''] = (sent(arrived) ?? '').split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
}

describe.each(kinds)('a route with token: %s', (kind: Kind) => {
  it('lets a session in, with that token and the headers of its identity', async () => {
    const cookie = await world.signIn()
    const headers = { ...withCookie(cookie), 'X-User': 'mallory', x_name: 'mallory', X_NAME: 'mallory' }
    const [answer, arrived] = await world.arrivedOf(() => world.get(`/${kind}/x`, headers))
    expect(answer.status).toBe(200)
    expect(valuesOf(arrived!, 'x-user')).toEqual(['alice'])
    expect(valuesOf(arrived!, 'x-name')).toEqual(['Alice'])
    expect(valuesOf(arrived!, 'x_name')).toEqual([])
    expect(sent(arrived) === undefined).toBe(kind === 'none')
    if (kind === 'gateway') expect(payloadOf(arrived)).toMatchObject({ iss: world.origin, sub: 'alice' })
  })

  it('lets a bearer in without the guard, with that token', async () => {
    const token = await world.bearer({ name: 'Bób % ' })
    const [answer, arrived] = await world.arrivedOf(() => world.get(`/${kind}/x`, withToken(token)))
    expect(answer.status).toBe(200)
    expect(valuesOf(arrived!, 'x-user')).toEqual(['bob'])
    expect(valuesOf(arrived!, 'x-name')).toEqual(['B%C3%B3b %25%20'])
    expect(sent(arrived) === `Bearer ${token}`).toBe(kind === 'user')
    if (kind === 'gateway') expect(payloadOf(arrived)).toMatchObject({ sub: 'bob', client_id: 'phone' })
    if (kind === 'none') expect(sent(arrived)).toBeUndefined()
  })

  it('refuses nobody at all with the way to sign in, or to get a token', async () => {
    const [machine, nothing] = await world.arrivedOf(() => world.get(`/${kind}/x`))
    expect([machine.status, codeOf(machine), nothing]).toEqual([401, 'bearer_invalid', undefined])
    const metadata = `${world.origin}/.well-known/oauth-protected-resource/${kind}`
    expect(machine.headers['www-authenticate']).toBe(`Bearer resource_metadata="${metadata}"`)
    expect((await world.get(new URL(metadata).pathname)).json()).toEqual({
      resource: `${world.origin}/${kind}`,
      authorization_servers: [world.provider.issuer],
      bearer_methods_supported: ['header'],
    })
    const page = await world.get(`/${kind}/x`, ownPage)
    expect([page.status, codeOf(page), page.json().loginUrl]).toEqual([401, 'session_missing', '/login'])
  })

  it('takes a cookie and a token for neither, after the guard', async () => {
    const headers = { ...withToken(await world.bearer()), cookie: await world.signIn() }
    const [own, nothing] = await world.arrivedOf(() => world.get(`/${kind}/x`, { ...headers, ...ownPage }))
    expect([own.status, codeOf(own), nothing]).toEqual([400, 'ambiguous_credentials', undefined])
    const foreign = await world.get(`/${kind}/x`, { ...headers, 'sec-fetch-site': 'cross-site' })
    expect([foreign.status, codeOf(foreign)]).toEqual([403, 'csrf_rejected'])
  })

  it('guards sessions, and anonymous callers where they may pass', async () => {
    const foreign = { cookie: await world.signIn(), 'sec-fetch-site': 'cross-site' }
    expect(codeOf(await world.get(`/${kind}/x`, foreign))).toBe('csrf_rejected')
    expect(codeOf(await world.get(`/${kind}-optional/x`))).toBe('csrf_rejected')
    const [answer, arrived] = await world.arrivedOf(() => world.get(`/${kind}-optional/x`, ownPage))
    expect([answer.status, sent(arrived)]).toEqual([200, undefined])
    const basic = await world.get(`/${kind}-optional/x`, { authorization: 'Basic YTpi', ...ownPage })
    expect(codeOf(basic)).toBe('bearer_invalid')
  })

  it('asks of both what its rule says, and names the rule to who does not meet it', async () => {
    const cookie = await world.signIn()
    const [met] = await world.arrivedOf(() => world.get(`/${kind}-met/x`, withCookie(cookie)))
    expect(met.status).toBe(200)
    const [unmet, nothing] = await world.arrivedOf(() => world.get(`/${kind}-unmet/x`, withCookie(cookie)))
    expect([unmet.status, codeOf(unmet), nothing]).toEqual([403, 'forbidden', undefined])
    expect(unmet.json().detail).toBe('This address asks for permissions read and write.')
    const good = withToken(await world.bearer({ permissions: ['read'], acr: 'gold' }))
    expect((await world.get(`/${kind}-met/x`, good)).status).toBe(200)
    const [poor, none] = await world.arrivedOf(() => world.get(`/${kind}-unmet/x`, good))
    expect([poor.status, codeOf(poor), none]).toEqual([403, 'forbidden', undefined])
    expect(poor.headers['www-authenticate']).toContain('error="insufficient_scope"')
    const weak = withToken(await world.bearer({ permissions: ['read'], acr: 'tin' }))
    const stepUp = await world.get(`/${kind}-met/x`, weak)
    expect([stepUp.status, codeOf(stepUp), stepUp.json().loginUrl]).toEqual([
      401,
      'step_up_required',
      undefined,
    ])
    expect(stepUp.headers['www-authenticate']).toMatch(
      /^Bearer error="insufficient_user_authentication", .*acr_values="gold silver"/,
    )
  })

  it('ends with its session, and with its token', async () => {
    const cookie = await world.signIn()
    await world.get('/logout', { ...withCookie(cookie), accept: 'application/json' }, 'POST')
    const [ended, nothing] = await world.arrivedOf(() => world.get(`/${kind}/x`, withCookie(cookie)))
    expect([ended.status, codeOf(ended), nothing]).toEqual([401, 'session_expired', undefined])
    const iat = Math.floor(world.nowMs() / 1_000)
    const old = await world.bearer({ exp: iat - 60 })
    const [expired, none] = await world.arrivedOf(() => world.get(`/${kind}/x`, withToken(old)))
    expect([expired.status, codeOf(expired), none]).toEqual([401, 'bearer_invalid', undefined])
    expect(expired.headers['www-authenticate']).toContain('error="invalid_token"')
  })

  const looksAtTheSession = kind !== 'client' && kind !== 'none'

  it('refreshes the tokens it depends on, ends when that is refused, and waits for a provider that is down', async () => {
    const dead = await world.signIn()
    const kept = await world.signIn()
    await world.get(`/${kind}/x`, withCookie(kept))
    world.pass(700_000)
    grants = { refresh_token: () => ({ status: 503 }) }
    const [down] = await world.arrivedOf(() => world.get(`/${kind}/x`, withCookie(kept)))
    expect([down.status, codeOf(down)]).toEqual(
      looksAtTheSession ? [503, 'provider_unavailable'] : [200, undefined],
    )
    grants = { refresh_token: () => ({ status: 400, body: { error: 'invalid_grant' } }) }
    const [refused] = await world.arrivedOf(() => world.get(`/${kind}/x`, withCookie(dead)))
    expect([refused.status, codeOf(refused)]).toEqual(
      looksAtTheSession ? [401, 'refresh_refused'] : [200, undefined],
    )
    grants = {}
    world.pass(5_000)
    const [again] = await world.arrivedOf(() => world.get(`/${kind}/x`, withCookie(kept)))
    expect(again.status).toBe(200)
  })
})

describe('an exchanged token', () => {
  it('is asked for with the words of RFC 8693, once for many calls, and anew when its subject was refreshed', async () => {
    const cookie = await world.signIn()
    let count = 0
    grants = {
      [exchangeGrant]: () => {
        count += 1
        return undefined
      },
    }
    const calls = await Promise.all([1, 2, 3, 4].map(() => world.get('/orders/x', withCookie(cookie))))
    expect(calls.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    const [, arrived] = await world.arrivedOf(() => world.get('/orders/x', withCookie(cookie)))
    expect(count).toBe(1)
    expect(payloadOf(arrived)).toMatchObject({ aud: ['orders-api'] })
    const form = world.provider.requests.findLast(
      ({ form }) => form.get('grant_type') === exchangeGrant,
    )!.form
    expect(form.get('subject_token_type')).toBe(issuedType)
    expect(form.get('audience')).toBe('orders-api')
    expect(form.get('subject_token')?.split('.')).toHaveLength(3)
    world.pass(700_000)
    await world.get('/orders/x', withCookie(cookie))
    expect(count).toBe(2)
  })

  it('is Entra-shaped where the route says so', async () => {
    const cookie = await world.signIn()
    const [answer] = await world.arrivedOf(() => world.get('/entra/x', withCookie(cookie)))
    expect(answer.status).toBe(200)
    const { form } = world.provider.requests.findLast(({ form }) => form.get('grant_type') === onBehalfOf)!
    expect(form.get('requested_token_use')).toBe('on_behalf_of')
    expect(form.get('assertion')?.split('.')).toHaveLength(3)
  })

  it.each([
    [
      'Keycloak: the client may not',
      403,
      { error: 'access_denied', error_description: 'Client not allowed to exchange' },
      403,
      'token_refused',
    ],
    [
      'Keycloak: no such audience',
      400,
      { error: 'invalid_client', error_description: 'Audience not found' },
      502,
      'provider_rejected',
    ],
    ['RFC 8693: not for this audience', 400, { error: 'invalid_target' }, 403, 'token_refused'],
    ['no such scope for this user', 400, { error: 'invalid_scope' }, 403, 'token_refused'],
    [
      'the subject is not taken, twice',
      400,
      { error: 'invalid_request', error_description: 'Invalid token' },
      403,
      'token_refused',
    ],
    ['our client may not use the grant', 400, { error: 'unauthorized_client' }, 502, 'provider_rejected'],
    ['our secret is wrong', 401, { error: 'invalid_client' }, 502, 'provider_rejected'],
    ['busy', 429, { error: 'slow_down' }, 503, 'provider_unavailable'],
    ['down', 503, {}, 503, 'provider_unavailable'],
  ])('is refused in words of its own: %s', async (_, status, body, expectedStatus, code) => {
    const cookie = await world.signIn()
    grants = { [exchangeGrant]: () => ({ status, body }) }
    const [answer, nothing] = await world.arrivedOf(() => world.get('/orders/x', withCookie(cookie)))
    expect([answer.status, codeOf(answer), nothing]).toEqual([expectedStatus, code, undefined])
    const asked = world.provider.count('/token')
    expect(codeOf(await world.get('/orders/x', withCookie(cookie)))).toBe(code)
    expect(world.provider.count('/token'), 'a failure is not repeated by every request').toBe(asked)
    expect((await world.get('/user/x', withCookie(cookie))).status, 'the session is kept').toBe(200)
  })

  it('is got with a refreshed subject when the first is not taken', async () => {
    const cookie = await world.signIn()
    let count = 0
    grants = {
      [exchangeGrant]: () => {
        count += 1
        return count === 1 ? { status: 400, body: { error: 'invalid_grant' } } : undefined
      },
    }
    expect((await world.get('/orders/x', withCookie(cookie))).status).toBe(200)
    expect(count).toBe(2)
  })

  it.each([
    ['no issued_token_type', { issued_token_type: undefined }],
    ['a refresh token instead', { issued_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }],
    ['a token of another kind', { token_type: 'N_A' }],
  ])('that is not what was asked for reaches no API: %s', async (_, changes) => {
    const cookie = await world.signIn()
    const token = await world.bearer({ aud: 'orders-api' })
    const body = { access_token: token, token_type: 'Bearer', issued_token_type: issuedType, ...changes }
    grants = { [exchangeGrant]: () => ({ body }) }
    const [answer, nothing] = await world.arrivedOf(() => world.get('/orders/x', withCookie(cookie)))
    expect([answer.status, codeOf(answer), nothing]).toEqual([502, 'access_token_unusable', undefined])
  })

  it('for another API reaches none', async () => {
    const cookie = await world.signIn()
    const token = await world.bearer({ aud: 'somebody-else' })
    grants = {
      [exchangeGrant]: () => ({
        body: { access_token: token, token_type: 'Bearer', issued_token_type: issuedType },
      }),
    }
    const [answer, nothing] = await world.arrivedOf(() => world.get('/orders/x', withCookie(cookie)))
    expect([answer.status, nothing]).toEqual([502, undefined])
  })

  it('that the provider wants a stronger login for leads to one, whose claims nobody can forge', async () => {
    const cookie = await world.signIn()
    const claims = '{"id_token":{"acrs":{"essential":true,"value":"c1"}}}'
    grants = {
      [onBehalfOf]: () => ({
        status: 400,
        body: { error: 'interaction_required', suberror: 'basic_action', claims },
      }),
    }
    const [answer, nothing] = await world.arrivedOf(() => world.get('/entra/x', withCookie(cookie)))
    expect([answer.status, codeOf(answer), nothing]).toEqual([401, 'step_up_required', undefined])
    const { loginUrl } = answer.json<{ loginUrl: string }>()
    expect(loginUrl).toMatch(/^\/login\?stepUp=[\w-]+$/)
    const begun = await world.get(loginUrl, { cookie })
    expect(new URL(begun.headers.location ?? '').searchParams.get('claims')).toBe(claims)
    const handle = new URLSearchParams(loginUrl.split('?')[1])
    const other = await world.signIn()
    expect((await world.get(loginUrl, { cookie: other })).status, "another session's").toBe(400)
    expect((await world.get(loginUrl)).status, "nobody's").toBe(400)
    const forged = `${handle.get('stepUp')?.slice(0, -3)}AAA`
    expect((await world.get(`/login?stepUp=${forged}`, { cookie })).status, 'forged').toBe(400)
    const unmet = await world.tryToSignIn(loginUrl.replace('/login', ''), cookie)
    expect([unmet.status, unmet.setCookies.some((each) => /^coatcheck-\d+=[^;]/.test(each))]).toEqual([
      400,
      false,
    ])
    expect(unmet.text()).toContain('stronger or newer sign-in that was asked for did not take place')
    world.pass(601_000)
    expect((await world.get(loginUrl, { cookie })).status, 'old').toBe(400)
  })

  it('that is demanded again in equal words after the login that met it is said on a page', async () => {
    const cookie = await world.signIn()
    grants = { [onBehalfOf]: () => ({ status: 400, body: { error: 'interaction_required' } }) }
    const first = (await world.get('/entra/x', withCookie(cookie))).json<{ loginUrl: string }>().loginUrl
    const stronger = await world.signIn(first.replace('/login', ''), cookie)
    const second = (await world.get('/entra/x', withCookie(stronger))).json<{ loginUrl: string }>().loginUrl
    const page = await world.get(second, {
      cookie: stronger,
      accept: 'text/html',
      'sec-fetch-mode': 'navigate',
    })
    expect([page.status, page.headers['content-type']]).toEqual([401, 'text/html; charset=utf-8'])
    expect(page.text()).toContain('Signing in once more would not help')
  })
})

describe("the gateway's own token", () => {
  it('is one for all who need it, and lets nobody do more than read on public pages', async () => {
    const [first, arrived] = await world.arrivedOf(() =>
      world.get('/public/x', { 'sec-fetch-site': 'cross-site' }),
    )
    const [second, again] = await world.arrivedOf(() => world.get('/public/x'))
    expect([first.status, second.status]).toEqual([200, 200])
    expect(payloadOf(arrived)).toMatchObject({ aud: ['public-api'] })
    expect(sent(again)).toBe(sent(arrived))
    expect((await world.get('/public/x', {}, 'POST')).status).toBe(405)
    const posted = await world.get('/posted/x', { 'sec-fetch-site': 'cross-site' }, 'POST')
    expect(codeOf(posted)).toBe('csrf_rejected')
    expect((await world.get('/posted/x', ownPage, 'POST')).status).toBe(200)
  })

  it('that cannot be had is the operator’s fault, not the caller’s', async () => {
    world.pass(3_600_000)
    grants = { client_credentials: () => ({ status: 401, body: { error: 'invalid_client' } }) }
    expect(codeOf(await world.get('/public/x'))).toBe('provider_rejected')
    world.pass(60_000)
    grants = {}
    expect((await world.get('/public/x')).status).toBe(200)
  })
})

describe('a minted token', () => {
  it('is verified by a library that knows the metadata alone', async () => {
    const cookie = await world.signIn()
    const [, arrived] = await world.arrivedOf(() => world.get('/minted/x', withCookie(cookie)))
    const metadata = (await world.get('/.well-known/openid-configuration')).json<{
      issuer: string
      jwks_uri: string
    }>()
    expect(Object.keys(metadata)).toEqual(['issuer', 'jwks_uri'])
    const token = (sent(arrived) ?? '').replace('Bearer ', '')
    const { payload, protectedHeader } = await jwtVerify(
      token,
      createRemoteJWKSet(new URL(metadata.jwks_uri)),
      {
        issuer: metadata.issuer,
        audience: world.provider.audience,
        typ: 'at+jwt',
        algorithms: ['ES256'],
        currentDate: new Date(world.nowMs()),
      },
    )
    expect(protectedHeader.kid).toBeDefined()
    expect(payload).toMatchObject({ sub: 'alice', acr: 'silver', name: 'Alice', roles: ['admin', 'user'] })
    expect(payload.exp! - payload.iat!).toBeLessThanOrEqual(300)
    expect(String(payload.sid)).toHaveLength(43)
  })

  it('is one for a session, route and minute', async () => {
    const cookie = await world.signIn()
    const ask = async () => sent((await world.arrivedOf(() => world.get('/minted/x', withCookie(cookie))))[1])
    const first = await ask()
    world.pass(30_000)
    expect(await ask()).toBe(first)
    world.pass(31_000)
    expect(await ask()).not.toBe(first)
  })
})

describe('a bearer’s token', () => {
  it.each<[string, Record<string, unknown>, Record<string, unknown>?]>([
    ['of another issuer', { iss: 'https://evil.example' }],
    ['for another API', { aud: 'another-api' }],
    ['that is not valid yet', { nbf: 4_000_000_000 }],
    ['without an end', { exp: undefined }],
    ['that is an ID token', { nonce: 'n', aud: ['gateway', 'https://api.example.test'] }, {}],
    ['with the hash of another', { at_hash: 'x' }, { typ: 'JWT' }],
    ['that is a logout token', { events: {} }, { typ: 'logout+jwt' }],
    ['of an untold kind for our client too', { aud: ['gateway', 'https://api.example.test'] }, {}],
    ['bound to a certificate', { cnf: { 'x5t#S256': 'x' } }],
    ['bound in an unknown way', { cnf: { kid: 'x' } }],
    ['bound to a key, sent as a bearer token', { cnf: { jkt: 'x' } }],
    ['of nobody', { sub: undefined, client_id: undefined }],
  ])('%s is refused', async (_, claims, header) => {
    const token = await world.bearer(claims, header)
    const [answer, nothing] = await world.arrivedOf(() => world.get('/none/x', withToken(token)))
    expect([answer.status, codeOf(answer), nothing]).toEqual([401, 'bearer_invalid', undefined])
    expect(answer.json().loginUrl).toBeUndefined()
  })

  it('signed by nobody, or with the public key, is refused', async () => {
    const [, payload] = (await world.bearer()).split('.')
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`
    for (const token of [
      none,
      await world.provider.signWithPublicKey({
        iss: world.provider.issuer,
        aud: world.provider.audience,
        exp: 4_000_000_000,
        sub: 'x',
      }),
    ])
      expect(codeOf(await world.get('/none/x', withToken(token)))).toBe('bearer_invalid')
  })

  it('for our own address of the route is taken, and goes no further', async () => {
    const ofUser = withToken(await world.bearer({ aud: `${world.origin}/user` }))
    expect(codeOf(await world.get('/user/x', ofUser))).toBe('bearer_invalid')
    const ofMinted = withToken(await world.bearer({ aud: `${world.origin}/gateway` }))
    expect((await world.get('/gateway/x', ofMinted)).status).toBe(200)
    expect(codeOf(await world.get('/exchange/x', ofMinted)), 'another route').toBe('bearer_invalid')
  })

  it('is the only way into a route of bearers', async () => {
    expect((await world.get('/machines/x', withToken(await world.bearer()))).status).toBe(200)
    expect(codeOf(await world.get('/machines/x', withCookie(await world.signIn())))).toBe('bearer_invalid')
  })

  it('never gets into a route of sessions', async () => {
    expect(codeOf(await world.get('/plain/x', { ...withToken(await world.bearer()), ...ownPage }))).toBe(
      'session_missing',
    )
  })
})

describe('a rule about the sign-in', () => {
  it('leads to a login that meets it, and lets that session in', async () => {
    const cookie = await world.signIn()
    const refused = await world.get('/strong/x', withCookie(cookie))
    expect([refused.status, codeOf(refused), refused.json().loginUrl]).toEqual([
      401,
      'step_up_required',
      '/login?acr_values=gold',
    ])
    world.provider.faults.idToken = (claims) => {
      claims.acr = 'gold'
      claims.auth_time = Math.floor(world.nowMs() / 1_000)
      claims.realm = { roles: ['admin'] }
    }
    const stronger = await world.signIn('?acr_values=gold', cookie)
    expect((await world.get('/strong/x', withCookie(stronger))).status).toBe(200)
  })

  it('about its age is a deadline', async () => {
    const cookie = await world.signIn()
    expect((await world.get('/fresh/x', withCookie(cookie))).status).toBe(200)
    world.pass(61_000)
    const old = await world.get('/fresh/x', withCookie(cookie))
    expect([codeOf(old), old.json().loginUrl]).toEqual(['step_up_required', '/login?max_age=60'])
  })

  it('is not met by a sign-in of tomorrow, which would never grow old', async () => {
    const { faults } = world.provider
    const { idToken } = faults
    faults.idToken = (claims) => {
      claims.auth_time = Math.floor(world.nowMs() / 1_000) + 86_400
    }
    const cookie = await world.signIn()
    Object.assign(faults, { idToken })
    const answer = await world.get('/fresh/x', withCookie(cookie))
    expect([answer.status, codeOf(answer)]).toEqual([401, 'step_up_required'])
  })

  it('is met by any of its alternatives', async () => {
    expect((await world.get('/either/x', withCookie(await world.signIn()))).status).toBe(200)
  })
})

describe('a stream', () => {
  /** Opens a WebSocket, lets time pass, and resolves to the code that it was closed with. */
  async function closeCodeAfter(
    path: string,
    headers: Readonly<Record<string, string>>,
    ms: number,
  ): Promise<number> {
    world.api.onWebSocket(() => undefined)
    const socket = new WebSocket(`${world.origin.replace('http', 'ws')}${path}`, { headers })
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    const closed = new Promise<number>((resolve) => socket.once('close', resolve))
    world.pass(ms)
    return closed
  }

  it('of a bearer ends with its token', async () => {
    const headers = withToken(await world.bearer())
    expect(await closeCodeAfter('/gateway/x', headers, 601_000)).toBe(4401)
  })

  it('ends when the sign-in has become too old for its rule', async () => {
    const headers = { cookie: await world.signIn(), origin: world.origin }
    expect(await closeCodeAfter('/fresh/x', headers, 61_000)).toBe(4403)
  })
})
