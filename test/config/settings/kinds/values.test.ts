import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fraction, headerList } from '../../../../src/config/settings/kinds/values.ts'
import { fieldName, ValueFault } from '../../../../src/config/settings/setting.ts'
import { settingRows } from '../../../../src/config/settings/settings.ts'
import { certificate, faultyNames, load, privateKey } from '../../fixtures.ts'

const refused: Readonly<Record<string, readonly string[]>> = {
  ISSUER_URL: [
    'http://tenant.example.com',
    'tenant',
    'https://a.b/?x=1',
    'https://u:p@a.b/',
    'https://a.b/.well-known/openid-configuration',
  ],
  BASE_URL: [
    'http://app.example.com',
    'https://app.example.com/x/../y',
    'https://app.example.com/./x',
    'https://app.example.com//',
    'https://app.example.com/x//y',
    'https://app.example.com/%78',
    'https://app.example.com/x%2fy',
    'https://app.example.com\\x',
    'https://app.example.com/x y',
    'https://a.b?x',
    'ftp://a.b',
    'https://u@a.b',
    'http://localhost.evil.com',
    'http://127.0.0.1.evil.com',
    'http://0.0.0.0:3000',
  ],
  API_URL: ['api:8080', 'http://u:p@api', 'http://api/?x=1', 'http://api/#x', 'file:///etc'],
  HTTPS_PROXY: ['http://us%er:p@proxy:3128', 'u:p%w@proxy', 'http://proxy/x', 'socks5://proxy'],
  API_AUDIENCE: ['a,,b', 'a,a'],
  SESSION_SECRET: [
    'abcdefghijklmnopqrstuvwxyz01234',
    'abcdefghijklmnopqrstuvwxyz012345,short',
    '<output of: coatcheck secret>',
  ],
  CLIENT_ID: ['a\nb'],
  SCOPE: ['profile', 'openid "x"'],
  AUDIENCE_PARAMETER: ['yes'],
  LOGIN_PARAMETERS: [
    'scope',
    'login_hint,AUDIENCE',
    'redirect_uri',
    'state',
    'nonce',
    'response_type',
    'client_id',
    'code_challenge',
    'code_challenge_method',
    'resource',
    'response_mode',
    'request',
    'request_uri',
    'claims',
    'returnTo',
    'a b',
    'id_token_hint',
    'client_assertion',
    'client_assertion_type',
    'client_secret',
    'code',
    'code_verifier',
    'dpop_jkt',
    'grant_type',
    'iss',
    'post_logout_redirect_uri',
    'refresh_token',
    'registration',
  ],
  AUTHORIZATION_PARAMETERS: ['audience=x', 'a=1&a=2', 'scope=openid', '=x', 'redirect_uri=https://evil'],
  TOKEN_PARAMETERS: ['grant_type=password', 'client_secret=x', 'resource=x'],
  END_SESSION_URL: ['http://login.example.com', 'javascript:alert(1)', 'https://a.b/#x'],
  USER_CLAIMS: ['sub,', 'a b'],
  PROVIDER_TIMEOUT: ['0', '21', '1.5', '-1', '1e1', '0x1'],
  API_PREFIX: [
    '/',
    'api',
    '/api/',
    '/a//b',
    '/a/../b',
    '/./a',
    '/a*',
    '/:id',
    '/a%2fb',
    '/a?x',
    '/ä',
    '/a;b',
    '\\a',
    '/(a|b)',
  ],
  AUTH_PREFIX: ['auth', '/auth/', '/:x'],
  BODY_LIMIT: ['0', '10xb', '-1', '99999gb', '1.5mb'],
  WEBSOCKET_MAX_MESSAGE: ['2gb'],
  SPA_CSP: ["default-src 'self'\r\nset-cookie: x"],
  HSTS: ['1 year', 'max-age=-1', 'max-age=1; foo'],
  CSRF_HEADER: ['off'],
  SESSION_STORE: ['disk'],
  SESSION_CACHE: ['maybe', 'constructor', '__proto__'],
  REDIS_URL: [
    'http://redis',
    'redis://',
    'redis://r/x',
    'redis://r?x=1',
    'redis://user:100%@redis',
    'redis://us%er@redis',
    'unix://',
    'unix://run/redis.sock',
    'unix:///run/redis.sock?db=x',
    'unix:///run/redis.sock?x=1',
    'unix:///run/100%.sock',
  ],
  REDIS_SENTINELS: ['a:0', 'a:70000', 'a b', 'a:1:2'],
  TRUST_PROXY: [
    'all',
    'true',
    '*',
    '1',
    '0.0.0.0/0',
    '::/0',
    '0.0.0.0/1',
    '128.0.0.0/1',
    '10.0.0.0/33',
    'fe80::/129',
    'proxy',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '::ffff:0:0/0',
  ],
  PORT: ['0', '65536', '80a', ''.padEnd(40, '9')],
  HOST: ['http://0.0.0.0', 'a b', '-a'],
  LOG_LEVEL: ['verbose'],
  UPSTREAM_CA: ['no pem'],
  UPSTREAM_KEY: [
    '-----BEGIN ENCRYPTED PRIVATE KEY-----\nx\n-----END ENCRYPTED PRIVATE KEY-----',
    certificate,
  ],
}

describe('settings refuse', () => {
  it.each(Object.entries(refused).flatMap(([name, texts]) => texts.map((text) => [name, text] as const)))(
    '%s=%j',
    (name, text) => {
      expect(faultyNames({ [name]: text })).toContain(name)
    },
  )
})

describe('settings accept', () => {
  it.each([
    ['ISSUER_URL', 'http://127.0.0.1:9000', 'http://127.0.0.1:9000'],
    ['ISSUER_URL', 'https://a.b', 'https://a.b'],
    ['BASE_URL', 'http://app.localhost:3000', new URL('http://app.localhost:3000')],
    ['BASE_URL', 'http://[::1]:3000', new URL('http://[::1]:3000')],
    ['BASE_URL', 'https://app.example.com/', new URL('https://app.example.com')],
    ['BASE_URL', 'https://app.example.com/a/b.c/', new URL('https://app.example.com/a/b.c')],
    [
      'SESSION_SECRET',
      'abcdefghijklmnopqrstuvwxyz012345, 012345abcdefghijklmnopqrstuvwxyz',
      ['abcdefghijklmnopqrstuvwxyz012345', '012345abcdefghijklmnopqrstuvwxyz'],
    ],
    ['SCOPE', 'openid  read:orders', 'openid read:orders'],
    ['LOGIN_PARAMETERS', 'none', []],
    ['LOGIN_PARAMETERS', 'prompt,connection', ['prompt', 'connection']],
    [
      'AUTHORIZATION_PARAMETERS',
      'access_type=offline&prompt=consent',
      { access_type: 'offline', prompt: 'consent' },
    ],
    ['BODY_LIMIT', '512kb', 524_288],
    ['BODY_LIMIT', '2GB', 2_147_483_648],
    ['BODY_LIMIT', '1000', 1000],
    ['AUTH_PREFIX', '/', ''],
    ['AUTH_PREFIX', '/a/b', '/a/b'],
    ['HSTS', 'off', undefined],
    ['HSTS', 'max-age=1; includeSubDomains; preload', 'max-age=1; includeSubDomains; preload'],
    ['SESSION_CACHE', 'FALSE', false],
    [
      'REDIS_CLUSTER_NODES',
      'a,b:7000,[::1]:7001',
      [
        { host: 'a', port: 6379 },
        { host: 'b', port: 7000 },
        { host: '::1', port: 7001 },
      ],
    ],
    ['REDIS_SENTINELS', 'a', [{ host: 'a', port: 26_379 }]],
    ['REDIS_URL', 'rediss://user:p%40ss@redis:6380/2', 'rediss://user:p%40ss@redis:6380/2'],
    ['REDIS_URL', 'unix://user:pw@/run/redis.sock?db=2', 'unix://user:pw@/run/redis.sock?db=2'],
    ['TRUST_PROXY', '10.0.0.0/8, 192.168.1.7,fc00::/7,::1', ['10.0.0.0/8', '192.168.1.7', 'fc00::/7', '::1']],
    ['LOG_LEVEL', 'WARN', 'warn'],
    ['HOST', '::', '::'],
  ])('%s=%j', (name, text, value) => {
    expect(Reflect.get(load({ [name]: text }), fieldName(name))).toEqual(value)
  })
})

describe('the settings table', () => {
  it.each(settingRows.map(([name, setting]) => [name, setting] as const))(
    '%s has an example and a default that it accepts',
    (_name, setting) => {
      if (setting.defaultText !== undefined)
        expect(() => setting.parse(setting.defaultText ?? '')).not.toThrow()
      if (setting.unit === 'PEM text' || setting.example.startsWith('<')) return
      expect(() => setting.parse(setting.example)).not.toThrow()
    },
  )

  it('gives every setting a field of its own', () => {
    const fields = settingRows.map(([name]) => fieldName(name))
    expect(new Set(fields).size).toBe(fields.length)
    expect(Object.keys(load())).toEqual(expect.arrayContaining(fields))
  })

  it('lets no path prefix through that a URL parser would change', () => {
    const piece = fc.constantFrom('/', '.', '..', 'a', '%2e', '~', '\\', ';', ' ', 'B', '-')
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 6 }).map((pieces) => `/${pieces.join('')}`),
        (prefix) => {
          if (faultyNames({ API_PREFIX: prefix }).length > 0) return
          expect(new URL(prefix, 'http://localhost').pathname).toBe(prefix.trim())
        },
      ),
    )
  })

  it('keeps both halves of a client certificate together', () => {
    const { routes } = load({ UPSTREAM_CERTIFICATE: certificate, UPSTREAM_KEY: privateKey })
    expect(routes[0]?.tls).toEqual({ caPem: undefined, certPem: certificate, keyPem: privateKey })
  })
})

describe('settings of OpenTelemetry', () => {
  it.each(['0', '1', '0.25', '.5', '1.0'])('take %s for a part', (untrusted) => {
    expect(fraction(untrusted)).toBe(Number(untrusted))
  })

  it.each(['1.1', '-0.1', '', 'half', '1e-1', '0x1'])('do not take %j for one', (untrusted) => {
    expect(() => fraction(untrusted)).toThrow('must be a number from 0 to 1')
  })

  it('read headers, percent-encoded', () => {
    expect(headerList('api-key=a%20b, x-tenant = c=d')).toEqual({ 'api-key': 'a b', 'x-tenant': 'c=d' })
  })

  it.each(['api-key', '=v4lue', 'a b=c', 'a=%0d%0ab: c', 'a=%zz', 'a=1,,b=2'])(
    'refuse %j without repeating it',
    (untrusted) => {
      expect(() => headerList(untrusted)).toThrow(ValueFault)
      expect(() => headerList(untrusted)).not.toThrow(untrusted)
    },
  )
})
