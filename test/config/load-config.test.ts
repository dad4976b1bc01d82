import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/config/config-error.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { settingRows } from '../../src/config/settings/settings.ts'
import { certificate, faultsOf, faultyNames, filesOf, load, minimalEnv, privateKey } from './fixtures.ts'

describe('loadConfig', () => {
  it('says of a SPA_DIR on disk whether it is there, and what a relative one counts from', () => {
    const load = (SPA_DIR: string) => () => loadConfig({ ...minimalEnv, SPA_DIR })
    expect(load('/nowhere/at-all')).toThrow(/SPA_DIR: names a folder that is empty or not there; /)
    expect(load('src')).toThrow(`without an index.html; a relative one counts from ${process.cwd()}, `)
  })

  it('needs nothing but the essentials and fills in the defaults of the design', () => {
    const config = load()
    expect(config).toMatchObject({
      issuerUrl: 'https://tenant.example.com/',
      apiAudience: ['https://api.example.com'],
      sessionIdleTimeout: 1800,
      sessionMaxLifetime: 36_000,
      port: 3000,
      host: '127.0.0.1',
      adminPort: undefined,
      scope: 'openid profile email offline_access',
      audienceParameter: 'audience',
      accessTokenFormat: 'jwt',
      userClaims: ['sub', 'name', 'email', 'picture'],
      loginParameters: ['acr_values', 'max_age', 'login_hint', 'ui_locales', 'screen_hint'],
      drainDelay: 5,
      shutdownGrace: 25,
      workers: 1,
      trustProxy: [],
      authPrefix: '',
    })
    expect(config.baseUrl.origin).toBe('https://app.example.com')
  })

  it('makes one guarded route of API_URL, with WebSockets and the audience of the login', () => {
    const { routes, audience } = load()
    expect(routes).toHaveLength(1)
    expect(routes[0]).toMatchObject({ prefix: '/api', auth: 'required', websocket: true, audience })
    expect(`${routes[0]?.upstream}`).toBe('http://api:8080/v1')
    expect(audience).toEqual({
      key: 'https://api.example.com',
      value: 'https://api.example.com',
      parameter: 'audience',
      accepted: ['https://api.example.com'],
      scope: undefined,
    })
  })

  it('sends no audience with AUDIENCE_PARAMETER=none, and still accepts only the configured ones', () => {
    const { audience } = load({ AUDIENCE_PARAMETER: 'none', API_AUDIENCE: 'one, two' })
    expect(audience).toMatchObject({ value: undefined, accepted: ['one', 'two'] })
  })

  it('is frozen through and through', () => {
    const config = load()
    for (const part of [config, config.routes, config.routes[0], config.audience, config.userClaims]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
  })

  it('places everything beneath the path of BASE_URL, and the probes not', () => {
    const config = load({ BASE_URL: 'https://app.example.com/desk/', AUTH_PREFIX: '/auth' })
    expect(config.baseUrl.href).toBe('https://app.example.com/desk')
    expect(config).toMatchObject({ basePath: '/desk', authPrefix: '/desk/auth' })
    expect(config.routes.map(({ prefix }) => prefix)).toEqual(['/desk/api'])
    expect(load()).toMatchObject({ basePath: '', authPrefix: '' })
    for (const path of ['/livez', '/readyz/x'])
      expect(faultyNames({ BASE_URL: `https://app.example.com${path}` })).toEqual(['BASE_URL'])
  })

  it('reports everything that is wrong at once, with name and example', () => {
    const faults = faultsOf({
      ISSUER_URL: undefined,
      PORT: 'eighty',
      BASE_URL: 'https://app.example.com/s%75b',
      SESSION_SECRET: 'short',
      API_PREFIX: '/login',
      WORKERS: '2',
    })
    expect(faults.map(({ name }) => name).toSorted()).toEqual([
      'API_PREFIX',
      'BASE_URL',
      'ISSUER_URL',
      'PORT',
      'SESSION_SECRET',
      'WORKERS',
    ])
    for (const { name, example } of faults) expect(example).toMatch(new RegExp(`^${name}=.`))
  })

  it('treats an empty or blank variable as unset', () => {
    expect(load({ PORT: '', LOG_LEVEL: '  ', REDIS_URL: '' })).toMatchObject({ port: 3000, logLevel: 'info' })
    expect(faultyNames({ CLIENT_ID: '' })).toEqual(['CLIENT_ID'])
  })

  it('reads secrets and certificates from the files that NAME_FILE names, without the line break at the end', () => {
    const config = load(
      {
        CLIENT_SECRET: undefined,
        CLIENT_SECRET_FILE: '/run/secrets/client',
        REDIS_URL_FILE: '/run/secrets/redis',
        UPSTREAM_CA_FILE: '/ca.pem',
      },
      {
        '/run/secrets/client': 'from-file\n',
        '/run/secrets/redis': 'redis://redis:6379/1\n',
        '/ca.pem': certificate,
      },
    )
    expect(config).toMatchObject({ clientSecret: 'from-file', redisUrl: 'redis://redis:6379/1' })
    expect(config.routes[0]?.tls?.caPem).toBe(certificate)
  })

  it.each([
    [
      'a file that is not there',
      { CLIENT_SECRET: undefined, CLIENT_SECRET_FILE: '/gone' },
      'CLIENT_SECRET_FILE',
    ],
    ['an empty file', { CLIENT_SECRET: undefined, CLIENT_SECRET_FILE: '/empty' }, 'CLIENT_SECRET_FILE'],
    ['a value and a file', { CLIENT_SECRET_FILE: '/full' }, 'CLIENT_SECRET'],
  ])('refuses %s', (_what, env, name) => {
    expect(faultyNames(env, { '/empty': '\n', '/full': 'x' })).toEqual([name])
  })

  it('never repeats a value in a fault, whatever the setting and the value are', () => {
    const names = settingRows.map(([name]) => name)
    const marker = fc.string({ minLength: 1, maxLength: 20 }).map((noise) => `${noise}S3cr3tM4rk3r\n${noise}`)
    fc.assert(
      fc.property(fc.constantFrom(...names), marker, (name, value) => {
        const faults = faultsOf({ [name]: value })
        expect(JSON.stringify(faults)).not.toContain('S3cr3tM4rk3r')
      }),
    )
  })

  it('says in one line per fault what is wrong', () => {
    const attempt = () => loadConfig({ ...minimalEnv, PORT: '0', LOG_LEVEL: 'loud' }, filesOf({}))
    expect(attempt).toThrow(ConfigError)
    expect(attempt).toThrow(
      'PORT: must be a whole number from 1 to 65535. Example: PORT=8000\n' +
        'LOG_LEVEL: must be one of fatal, error, warn, info, debug, trace, silent. Example: LOG_LEVEL=warn',
    )
  })
})

describe('the rules across settings', () => {
  const spa = { '/spa/index.html': '<!doctype html>' }
  it.each([
    ['neither API_URL nor ROUTES_FILE', { API_URL: '' }, 'API_URL'],
    ['both API_URL and ROUTES_FILE', { ROUTES_FILE: '/routes.yaml' }, 'API_URL'],
    [
      'no API_AUDIENCE while JWTs are wanted',
      { API_AUDIENCE: '', AUDIENCE_PARAMETER: 'none' },
      'API_AUDIENCE',
    ],
    [
      'no API_AUDIENCE while one is to be sent',
      { API_AUDIENCE: '', ACCESS_TOKEN_FORMAT: 'any' },
      'API_AUDIENCE',
    ],
    ['both SPA_DIR and SPA_URL', { SPA_DIR: '/spa', SPA_URL: 'http://localhost:5173' }, 'SPA_URL'],
    ['a SPA_DIR without index.html', { SPA_DIR: '/elsewhere' }, 'SPA_DIR'],
    ['an admin port that is the public one', { ADMIN_PORT: '3000' }, 'ADMIN_PORT'],
    ['questions asked at the public port', { FORWARD_AUTH_PORT: '3000' }, 'FORWARD_AUTH_PORT'],
    ['at that of the admin', { FORWARD_AUTH_PORT: '3002', ADMIN_PORT: '3002' }, 'FORWARD_AUTH_PORT'],
    [
      'questions from anywhere without TRUST_PROXY',
      { FORWARD_AUTH_PORT: '3001', FORWARD_AUTH_HOST: '0.0.0.0' },
      'FORWARD_AUTH_HOST',
    ],
    ['two ways to Redis', { REDIS_URL: 'redis://r', REDIS_CLUSTER_NODES: 'a,b' }, 'REDIS_URL'],
    ['SESSION_STORE=redis without one', { SESSION_STORE: 'redis' }, 'SESSION_STORE'],
    ['several workers without Redis', { WORKERS: '2' }, 'WORKERS'],
    [
      'several workers with sessions in memory',
      { WORKERS: '2', SESSION_STORE: 'memory', REDIS_URL: 'redis://r' },
      'WORKERS',
    ],
    ['two passwords for Redis', { REDIS_URL: 'redis://:one@r', REDIS_PASSWORD: 'two' }, 'REDIS_PASSWORD'],
    ['TLS asked for and denied', { REDIS_URL: 'redis://r', REDIS_TLS: 'on' }, 'REDIS_TLS'],
    [
      'an authority that nothing would use',
      { REDIS_URL: 'redis://r', REDIS_TLS_CA: certificate },
      'REDIS_TLS_CA',
    ],
    ['a client certificate without its key', { UPSTREAM_CERTIFICATE: certificate }, 'UPSTREAM_CERTIFICATE'],
    ['a key without its certificate', { UPSTREAM_KEY: privateKey }, 'UPSTREAM_CERTIFICATE'],
    ['a prefix over the login', { API_PREFIX: '/login' }, 'API_PREFIX'],
    ['a prefix beneath an endpoint', { API_PREFIX: '/session/api' }, 'API_PREFIX'],
    ['a prefix over all moved endpoints', { API_PREFIX: '/auth', AUTH_PREFIX: '/auth' }, 'API_PREFIX'],
    ['a prefix over the probes', { API_PREFIX: '/livez', AUTH_PREFIX: '/auth' }, 'API_PREFIX'],
  ])('refuse %s', (_what, env, name) => {
    expect(
      faultyNames(env, { ...spa, '/routes.yaml': 'routes: [{prefix: /a, upstream: http://a}]' }),
    ).toEqual([name])
  })

  it.each([
    [
      'an API without an audience of its own',
      { API_AUDIENCE: '', AUDIENCE_PARAMETER: 'none', ACCESS_TOKEN_FORMAT: 'any' },
    ],
    ['workers with Redis', { WORKERS: '4', REDIS_SENTINELS: 'a:1,b:2' }],
    ['a lifetime below the idle timeout, which then never matters', { SESSION_MAX_LIFETIME: '60' }],
    [
      'the login path as prefix once the endpoints have moved',
      { API_PREFIX: '/login', AUTH_PREFIX: '/auth' },
    ],
    ['a name that only begins like an endpoint', { API_PREFIX: '/sessions-api' }],
    ['a SPA_DIR with index.html', { SPA_DIR: '/spa' }],
    ['TLS on a cluster', { REDIS_CLUSTER_NODES: 'a', REDIS_TLS: 'on', REDIS_TLS_CA: certificate }],
  ])('allow %s', (_what, env) => {
    expect(faultsOf(env, spa)).toEqual([])
  })
})

it("says of each setting whose it is: these are the process's, all others a frontend's", () => {
  const ofProcess = settingRows.flatMap(([name, { scope }]) => (scope === 'process' ? [name] : []))
  const exactly =
    /^(?:PORT|HOST|ADMIN_.*|FORWARD_AUTH_.*|KEEP_ALIVE_TIMEOUT|HTTPS?_PROXY|NO_PROXY|ALL_PROXY|TRUST_PROXY|WORKERS|DRAIN_DELAY|SHUTDOWN_GRACE|LOG_.*|REDIS_.*|SESSION_STORE|SESSION_CACHE.*|OTEL_.*|FRONTENDS_FILE)$/
  expect(settingRows.map(([name]) => name).filter((name) => exactly.test(name))).toEqual(ofProcess)
})
