import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { routesExample } from '../../../scripts/render-settings.ts'
import type { RouteConfig } from '../../../src/config/routes/route.ts'
import type { ApiAudience } from '../../../src/oidc/tokens/token-set.ts'
import { certificate, faultsOf, load, privateKey } from '../fixtures.ts'

const path = '/etc/coatcheck/routes.yaml'
const env = { API_URL: '', ROUTES_FILE: path }

function routesOf(text: string, more: Readonly<Record<string, string>> = {}): readonly RouteConfig[] {
  return load(env, { [path]: text, ...more }).routes
}

/** Faults as `line path: problem`. */
function faults(text: string, more: Readonly<Record<string, string>> = {}): readonly string[] {
  return faultsOf(env, { [path]: text, ...more }).map(({ name, problem }) => `${name}: ${problem}`)
}

describe('the routes file', () => {
  it('reads the example of the documentation', () => {
    const routes = routesOf(routesExample.join('\n'))
    expect(routes.map(({ prefix }) => prefix)).toEqual(['/api', '/api/files', '/public'])
    expect(routes[1]).toMatchObject({
      bodyLimitBytes: 2_147_483_648,
      firstByteTimeoutMs: 120_000,
      connectTimeoutMs: 5_000,
      audience: { key: 'https://files.example.com', accepted: ['https://files.example.com'] },
      allowRedirectHosts: ['storage.example.com'],
    })
    expect(routes[2]).toMatchObject({
      auth: 'none',
      audience: undefined,
      methods: ['GET', 'HEAD'],
      websocket: false,
    })
  })

  it('reads JSON as well', () => {
    const text = JSON.stringify({
      $schema: './x.json',
      routes: [{ prefix: '/a', upstream: 'https://a/v1', websocket: true }],
    })
    expect(routesOf(text)[0]).toMatchObject({ prefix: '/a', websocket: true })
  })

  it('gives a route that says nothing what API_URL would give it', () => {
    const [route] = routesOf('routes: [{prefix: /api, upstream: "http://api:8080/v1"}]')
    expect(route).toEqual(load().routes[0])
  })

  it('keeps the same API under the same key, and one with a scope of its own under another', () => {
    const [same, scoped] = routesOf(`routes:
  - {prefix: /a, upstream: http://a, audience: [https://api.example.com, other]}
  - {prefix: /b, upstream: http://b, scope: "read:b", audienceParameter: resource}`)
    const audience: ApiAudience | undefined = same?.audience
    expect(audience?.key).toBe('https://api.example.com')
    expect(audience?.accepted).toEqual(['https://api.example.com', 'other'])
    expect(scoped?.audience).toMatchObject({
      key: 'https://api.example.com read:b',
      parameter: 'resource',
      scope: 'read:b',
    })
  })

  it('reads certificates relative to its own folder', () => {
    const text =
      'routes: [{prefix: /a, upstream: https://a, tls: {caFile: ca.pem, certificateFile: c.pem, keyFile: /k.pem}}]'
    const files = {
      '/etc/coatcheck/ca.pem': certificate,
      '/etc/coatcheck/c.pem': certificate,
      '/k.pem': privateKey,
    }
    expect(routesOf(text, files)[0]?.tls).toEqual({
      caPem: certificate,
      certPem: certificate,
      keyPem: privateKey,
    })
  })

  it('reports every fault with line and path, in the order of the file', () => {
    const text = `routes:
  - prefix: /login
    upstream: ftp://x
    auht: none
  - prefix: /a
    upstream: http://x/y
    bodyLimit: 10xb
    methods: get
  - prefix: /A
    auth: none
    scope: x
    upstream: http://u
    tls:
      certificateFile: nope.pem
  - prefix: /b/
    forwardAuthorization: true
    upstream: http://u
    connectTimeout: -1
    forwardCookies: [__Host-Http-coatcheck]
  - prefix: /c
`
    expect(faults(text).map((line) => line.replace(/: .*/, ''))).toEqual([
      'routes.yaml:2 routes[0].prefix',
      'routes.yaml:3 routes[0].upstream',
      'routes.yaml:4 routes[0].auht',
      'routes.yaml:7 routes[1].bodyLimit',
      'routes.yaml:8 routes[1].methods',
      'routes.yaml:9 routes[2].prefix',
      'routes.yaml:11 routes[2].scope',
      'routes.yaml:13 routes[2].tls',
      'routes.yaml:15 routes[3].prefix',
      'routes.yaml:16 routes[3].forwardAuthorization',
      'routes.yaml:18 routes[3].connectTimeout',
      'routes.yaml:19 routes[3].forwardCookies[0]',
      'routes.yaml:20 routes[4].upstream',
    ])
  })

  it('says what must be there in words of the file, not of a library', () => {
    const text = `routes:
  - prefix: /a
    upstream: http://x
    auth: maybe
    audience: []
    callers: nobody
    require: 5
    methods: get
    connectTimeout: 0
    firstByteTimeout: 99999
    idleTimeout: -1
    websocket: sometimes
    maxInFlight: 0
    maxInFlightPerSession: 1.5
    tls: { caFile: 3 }
  - none
`
    expect(faults(text).map((line) => line.replace(/^routes.yaml:\d+ routes\[/, '['))).toEqual([
      '[0].auth: must be one of required, optional, none',
      '[0].audience: must not be empty',
      '[0].callers: must be a list',
      '[0].require: must have keys and values',
      '[0].methods: must be a list',
      '[0].connectTimeout: must be more than 0',
      '[0].firstByteTimeout: must be at most 86400',
      '[0].idleTimeout: must be at least 0',
      '[0].websocket: must be true or false',
      '[0].maxInFlight: must be at least 1',
      '[0].maxInFlightPerSession: must be a whole number',
      '[0].tls.caFile: must be text',
      '[1]: must have keys and values',
    ])
  })

  it.each([
    ['text that is not YAML', 'routes: [', 'routes.yaml:1'],
    ['a key twice', 'routes: []\nroutes: []', 'routes.yaml:2'],
    ['no routes', 'routes: []', 'routes.yaml:1 routes'],
    ['nothing at all', '', 'routes.yaml:1'],
    ['a list at the top', '- prefix: /a', 'routes.yaml:1'],
    [
      'an unknown key at the top',
      'routes: [{prefix: /a, upstream: http://a}]\nroute: 1',
      'routes.yaml:2 route',
    ],
    [
      'a token passed on where ours belongs',
      'routes: [{prefix: /a, upstream: http://a, forwardAuthorization: true}]',
      'routes.yaml:1 routes[0].forwardAuthorization',
    ],
    [
      'an audience without a token',
      'routes: [{prefix: /a, upstream: http://a, auth: none, audience: x}]',
      'routes.yaml:1 routes[0].audience',
    ],
    [
      'our own cookies to the API',
      'routes: [{prefix: /a, upstream: http://a, forwardCookies: [coatcheck]}]',
      'routes.yaml:1 routes[0].forwardCookies[0]',
    ],
    [
      'our own cookies from the API',
      'routes: [{prefix: /a, upstream: http://a, allowSetCookies: [__host-http-coatcheck-login-12345678]}]',
      'routes.yaml:1 routes[0].allowSetCookies[0]',
    ],
    [
      'a certificate that is not there',
      'routes: [{prefix: /a, upstream: http://a, tls: {caFile: gone.pem}}]',
      'routes.yaml:1 routes[0].tls.caFile',
    ],
    [
      'lower-case methods',
      'routes: [{prefix: /a, upstream: http://a, methods: [get]}]',
      'routes.yaml:1 routes[0].methods[0]',
    ],
    [
      'TRACE, with which an API would echo our token to the browser',
      'routes: [{prefix: /a, upstream: http://a, methods: [GET, TRACE]}]',
      'routes.yaml:1 routes[0].methods[1]',
    ],
    [
      'CONNECT',
      'routes: [{prefix: /a, upstream: http://a, methods: [CONNECT]}]',
      'routes.yaml:1 routes[0].methods[0]',
    ],
  ])('refuses %s', (_what, text, start) => {
    const found = faults(text)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(new RegExp(`^${start.replaceAll(/[[\].]/g, '\\$&')}: `))
  })

  it('refuses a file that multiplies itself through aliases', () => {
    const lines = ['a: &a [x,x,x,x,x,x,x,x,x,x]']
    for (let level = 1; level < 9; level++) {
      const previous = `*${String.fromCharCode(96 + level)}`
      lines.push(
        `${String.fromCharCode(97 + level)}: &${String.fromCharCode(97 + level)} [${Array(9).fill(previous).join(',')}]`,
      )
    }
    expect(faults(lines.join('\n'))).toEqual(['routes.yaml:1: repeats its aliases too often'])
  })

  it('says so when it cannot be read', () => {
    expect(faultsOf(env).map(({ name }) => name)).toEqual(['ROUTES_FILE'])
  })

  it('reports its faults together with those of the settings', () => {
    const names = faultsOf({ ...env, PORT: 'x', AUTH_PREFIX: '?' }, { [path]: 'routes: []' }).map(
      ({ name }) => name,
    )
    expect(names).toEqual(['AUTH_PREFIX', 'PORT', 'routes.yaml:1 routes'])
  })

  it('has a published schema that knows exactly the keys that are read', () => {
    const schema = JSON.parse(
      readFileSync(new URL('../../../docs/routes-file.schema.json', import.meta.url), 'utf8'),
    )
    const route = schema.properties.routes.items
    expect(route.additionalProperties).toBe(false)
    expect(route.required).toEqual(['prefix', 'upstream'])
    expect(Object.keys(route.properties)).toContain('streamIdleTimeout')
  })
})
