import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { faultsOf, load } from '../../fixtures.ts'

const path = '/etc/coatcheck/routes.yaml'
const gatewayKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()
const env = { API_URL: '', ROUTES_FILE: path, GATEWAY_KEY: gatewayKey }

function routeOf(keys: string) {
  const text = `routes:\n  - {prefix: /a, upstream: http://a, ${keys}}`
  return load(env, { [path]: text }).routes[0]
}

function problemsOf(keys: string, more: Readonly<Record<string, string>> = {}): string {
  const text = `routes:\n  - {prefix: /a, upstream: http://a, ${keys}}`
  return faultsOf({ ...env, ...more }, { [path]: text })
    .map(({ name, problem }) => `${name}: ${problem}`)
    .join('\n')
}

describe('the access keys of a route', () => {
  it('leave a route that says nothing as it was: a session, and its own token', () => {
    expect(routeOf('auth: required')).toMatchObject({
      audience: { key: 'https://api.example.com' },
      access: { token: 'user', callers: ['session'], require: undefined, identityHeaders: [], claims: [] },
    })
  })

  it.each(['exchange', 'client', 'gateway', 'none'])(
    'keep the token of the session away from an API that gets %s',
    (token) => {
      expect(routeOf(`token: ${token}, audience: orders`)).toMatchObject({
        audience: undefined,
        access: { token, api: { value: 'orders' } },
      })
    },
  )

  it('let nobody do more than read with the rights of the gateway, unless the route says so', () => {
    expect(routeOf('auth: none, token: client')).toMatchObject({ methods: ['GET', 'HEAD'] })
    expect(routeOf('auth: none, token: client, methods: [POST]')).toMatchObject({ methods: ['POST'] })
    expect(routeOf('token: client')?.methods).toBeUndefined()
  })

  it('tell claims of the access token from those of the identity', () => {
    const written = `require: {permissions: "a b", scope: [c], access_token.org: x, /realm_access/roles: [admin], acr: urn:mfa, maxAge: 300, any: [{email_verified: true}, {groups: [x]}]}`
    expect(routeOf(written)?.access.require).toEqual({
      claims: [
        { source: 'access_token', claim: 'permissions', values: ['a', 'b'] },
        { source: 'access_token', claim: 'scope', values: ['c'] },
        { source: 'access_token', claim: 'org', values: ['x'] },
        { source: 'identity', claim: '/realm_access/roles', values: ['admin'] },
      ],
      acr: ['urn:mfa'],
      maxAgeSeconds: 300,
      any: [
        {
          claims: [{ source: 'identity', claim: 'email_verified', values: ['true'] }],
          acr: undefined,
          maxAgeSeconds: undefined,
        },
        {
          claims: [{ source: 'identity', claim: 'groups', values: ['x'] }],
          acr: undefined,
          maxAgeSeconds: undefined,
        },
      ],
    })
  })

  it.each([
    ['auth: none, token: user', 'token'],
    ['auth: none, token: gateway', 'token'],
    ['auth: none, callers: [bearer]', 'callers'],
    ['auth: none, require: {scope: a}', 'require'],
    ['auth: none, identityHeaders: {X-User: sub}', 'identityHeaders'],
    ['auth: none, token: client, forwardAuthorization: true', 'token'],
    ['exchange: {profile: rfc8693}', 'exchange'],
    ['claims: [email]', 'claims'],
    ['callers: [session, session]', 'callers'],
    ['callers: []', 'callers'],
    ['require: {}', 'require'],
    ['require: {maxAge: -1}', 'require'],
    ['require: {scope: []}', 'require'],
    ['token: other', 'token'],
    ['token: exchange, exchange: {profile: other}', 'exchange'],
  ])('refuse %s, by the name of %s', (keys, name) => {
    expect(problemsOf(keys)).toContain(`routes[0].${name}`)
  })

  it.each([
    ...'Connection TE Transfer-Encoding Host Content_Length Authorization Proxy-Authorization DPoP'.split(
      ' ',
    ),
    ...'Cookie Set-Cookie Forwarded X-Forwarded-User x_forwarded_for X-Request-Id Sec-Fetch-Site'.split(' '),
  ])('refuse an identity in the header %s', (name) => {
    expect(problemsOf(`identityHeaders: {${name}: sub}`)).toContain('belongs to the connection')
  })

  it('refuse two identity headers that servers may take for one', () => {
    expect(problemsOf('identityHeaders: {X-User: sub, x_user: email}')).toContain('names a header twice')
    expect(problemsOf('identityHeaders: {X-User: sub, x.user: email}')).toContain('names a header twice')
  })

  it('refuse a route that mints tokens without a key, without an audience, or where its keys are published', () => {
    expect(problemsOf('token: gateway', { GATEWAY_KEY: '' })).toContain('GATEWAY_KEY: is missing: /a has')
    expect(
      problemsOf('token: gateway', {
        API_AUDIENCE: '',
        AUDIENCE_PARAMETER: 'none',
        ACCESS_TOKEN_FORMAT: 'any',
      }),
    ).toContain('API_AUDIENCE: is missing: /a has')
    const text = 'routes: [{prefix: /keys, upstream: http://a, token: gateway}]'
    expect(faultsOf(env, { [path]: text }).map(({ name }) => name)).toEqual(['AUTH_PREFIX'])
  })
})

describe('GATEWAY_KEY', () => {
  const jwk = (curve: string, alg?: string) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: curve })
    return { ...privateKey.export({ format: 'jwk' }), ...(alg === undefined ? {} : { alg }) }
  }
  const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey.export({ format: 'jwk' })

  it.each([
    ['of RSA', rsa(), 'is not of P-256'],
    ['of another curve', jwk('P-384'), 'is not of P-256'],
    ['for another algorithm', jwk('P-256', 'ES384'), 'is not for ES256'],
    ['of RSA behind a good one', { keys: [jwk('P-256'), rsa()] }, 'is not of P-256'],
  ])('is refused with a key %s', (_what, key, problem) => {
    expect(problemsOf('token: gateway', { GATEWAY_KEY: JSON.stringify(key) })).toContain(problem)
  })

  it('takes several keys of P-256', () => {
    const keys = [jwk('P-256'), jwk('P-256', 'ES256')]
    expect(problemsOf('token: gateway', { GATEWAY_KEY: JSON.stringify({ keys }) })).toBe('')
  })
})

describe('API_TOKEN, API_CALLERS and API_REQUIRE', () => {
  it('say for the one API what a routes file says for each', () => {
    const config = load({
      API_TOKEN: 'gateway',
      API_CALLERS: 'session, bearer',
      API_REQUIRE: '{"scope":"read","maxAge":60}',
      GATEWAY_KEY: gatewayKey,
    })
    expect(config.routes[0]).toMatchObject({
      audience: undefined,
      access: {
        token: 'gateway',
        callers: ['session', 'bearer'],
        require: { claims: [{ claim: 'scope', values: ['read'] }], maxAgeSeconds: 60 },
      },
    })
  })

  it.each([
    ['API_TOKEN', 'x'],
    ['API_CALLERS', 'session,other'],
    ['API_REQUIRE', '{'],
    ['API_REQUIRE', '{}'],
    ['API_REQUIRE', '{"maxAge":"x"}'],
  ])('refuse %s=%s', (name, value) => {
    expect(faultsOf({ [name]: value }).map((fault) => fault.name)).toEqual([name])
  })
})
