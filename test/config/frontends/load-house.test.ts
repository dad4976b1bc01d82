import { describe, expect, it } from 'vitest'
import { ConfigError, describeFault } from '../../../src/config/config-error.ts'
import type { Environment } from '../../../src/config/environment.ts'
import { type HouseConfig, loadHouse } from '../../../src/config/frontends/load-house.ts'
import { loadConfig } from '../../../src/config/load-config.ts'
import { filesOf } from '../fixtures.ts'

const defaults: Environment = {
  FRONTENDS_FILE: '/etc/coatcheck/frontends.yaml',
  ISSUER_URL: 'https://tenant.example.com/',
  CLIENT_ID: 'client',
  CLIENT_SECRET: 'client-secret',
  API_AUDIENCE: 'https://api.example.com',
  API_URL: 'http://api:8080/v1',
  SESSION_SECRET: 'abcdefghijklmnopqrstuvwxyz012345',
}

function load(
  file: string,
  env: Environment = {},
  contents: Readonly<Record<string, string>> = {},
): HouseConfig {
  return loadHouse({ ...defaults, ...env }, filesOf({ '/etc/coatcheck/frontends.yaml': file, ...contents }))
}

function faults(...given: Parameters<typeof load>): readonly string[] {
  try {
    load(...given)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.faults.map(describeFault)
  }
}

const two = `
frontends:
  shop:
    BASE_URL: https://shop.example.com
    CLIENT_ID: shop
    CLIENT_SECRET_FILE: secrets/shop
    SESSION_IDLE_TIMEOUT: 900
    RATE_LIMIT: off
  desk:
    BASE_URL: https://internal.example.com/desk/
    CLIENT_SECRET: { env: DESK_SECRET }
    routes:
      - { prefix: /api, upstream: http://desk:8080 }
`
const secrets = { '/etc/coatcheck/secrets/shop': 'secret-of-shop\n' }

describe('the frontends file', () => {
  const house = load(two, { DESK_SECRET: 'secret-of-desk', PORT: '8000' }, secrets)
  const [shop, desk] = house.frontends.map(({ config }) => config)

  it('names frontends, over the defaults of the environment', () => {
    expect(house.process.port).toBe(8000)
    expect(house.frontends.map(({ name }) => name)).toEqual(['shop', 'desk'])
    expect(shop).toMatchObject({
      frontend: 'shop',
      port: 8000,
      issuerUrl: 'https://tenant.example.com/',
      clientId: 'shop',
      clientSecret: 'secret-of-shop',
      sessionIdleTimeout: 900,
      rateLimit: false,
      basePath: '',
    })
    expect(desk).toMatchObject({ frontend: 'desk', clientId: 'client', clientSecret: 'secret-of-desk' })
  })

  it('may hold the routes, which take the place of any API of the environment', () => {
    expect(shop?.routes.map(({ prefix, upstream }) => [prefix, `${upstream}`])).toEqual([
      ['/api', 'http://api:8080/v1'],
    ])
    expect(desk?.routes.map(({ prefix, upstream }) => [prefix, `${upstream}`])).toEqual([
      ['/desk/api', 'http://desk:8080/'],
    ])
  })

  it('tells cookies apart by name', () => {
    expect([shop?.cookieWord, desk?.cookieWord]).toEqual(['coatcheck-shop', 'coatcheck-desk'])
    const named = load(
      two.replace('CLIENT_ID: shop', 'COOKIE_NAME: basket'),
      { DESK_SECRET: 'x', COOKIE_NAME: 'acme' },
      secrets,
    )
    expect(named.frontends.map(({ config }) => config.cookieWord)).toEqual(['basket', 'acme-desk'])
  })

  it('is JSON as well', () => {
    const file = JSON.stringify({ frontends: { one: { BASE_URL: 'https://one.example.com' } } })
    expect(load(file).frontends.map(({ name }) => name)).toEqual(['one'])
  })

  it('changes the fingerprint of a frontend with its values, files included, and of no other', () => {
    const prints = (file: string, env: Environment, contents = secrets) =>
      load(file, env, contents).frontends.map(({ fingerprint }) => fingerprint)
    const env = { DESK_SECRET: 'secret-of-desk' }
    const before = prints(two, env)
    expect(prints(`# a comment\n${two}`, env)).toEqual(before)
    const otherFile = prints(two, env, { '/etc/coatcheck/secrets/shop': 'another' })
    expect(otherFile.map((print, at) => print === before[at])).toEqual([false, true])
    const otherVariable = prints(two, { DESK_SECRET: 'another' })
    expect(otherVariable.map((print, at) => print === before[at])).toEqual([true, false])
  })
})

describe('a frontends file is refused, with line and path,', () => {
  const one = (more: string) => `frontends:\n  one:\n    BASE_URL: https://one.example.com\n${more}`

  it('for everything that is wrong at once', () => {
    const found = faults(
      `frontends:
  Shop:
    BASE_URL: https://shop.example.com
  desk:
    PORT: 80
    COLOUR: red
    SESSION_IDLE_TIMEOUT: soon
    CLIENT_SECRET: { env: MISSING }
    routes:
      - { prefix: api, upstream: http://desk:8080 }
  till:
    BASE_URL: https://shop.example.com:443/
    CLIENT_ID: [a]
`,
      { BASE_URL: 'https://app.example.com', WORKERS: 'many' },
    )
    const starts = [
      'WORKERS: must be',
      'BASE_URL: is set beside FRONTENDS_FILE',
      'frontends.yaml:2 frontends.Shop: must be a name of',
      'frontends.yaml:4 frontends.desk.BASE_URL: is missing',
      'frontends.yaml:5 frontends.desk.PORT: is a setting of the process',
      'frontends.yaml:6 frontends.desk.COLOUR: is not known here',
      'frontends.yaml:7 frontends.desk.SESSION_IDLE_TIMEOUT: must be',
      'frontends.yaml:8 frontends.desk.CLIENT_SECRET: names a variable',
      'frontends.yaml:10 frontends.desk.routes[0].prefix: must begin with a slash',
      'frontends.yaml:12 frontends.till.BASE_URL: is that of Shop too',
      'frontends.yaml:13 frontends.till.CLIENT_ID: must be text, a number, or { env: NAME }',
    ]
    for (const start of starts) expect(found).toContainEqual(expect.stringContaining(start))
    expect(found.length).toBe(starts.length)
  })

  it.each([
    ['no frontend', 'frontends: {}', 'frontends.yaml:1 frontends: must name a frontend'],
    ['no YAML', 'frontends: [', 'frontends.yaml:'],
    ['another key', `${one('')}\nroutes: []`, 'frontends.yaml:5 routes: is not known here'],
    [
      'a value in two forms',
      one('    CLIENT_SECRET: x\n    CLIENT_SECRET_FILE: /y'),
      'CLIENT_SECRET: is set, and so is',
    ],
    [
      'a secret that cannot be read',
      one('    CLIENT_SECRET_FILE: /y'),
      'frontends.yaml:4 frontends.one.CLIENT_SECRET_FILE: names a file',
    ],
    [
      'routes beside an API',
      one('    API_URL: http://a\n    routes: [{prefix: /b, upstream: "http://b"}]'),
      'API_URL: is set, and so are routes; keep one of them',
    ],
    [
      'routes beside a file of routes',
      one('    ROUTES_FILE: r.yaml\n    routes: [{prefix: /b, upstream: "http://b"}]'),
      'frontends.yaml:4 frontends.one.ROUTES_FILE: is set, and so are routes; keep one of them',
    ],
    [
      'a file for a setting of the process',
      one('    REDIS_URL_FILE: /y'),
      'frontends.yaml:4 frontends.one.REDIS_URL_FILE: is a setting of the process',
    ],
    ['a frontend that says nothing', 'frontends:\n  one:', 'frontends.one: must have keys and values'],
    ['several documents', `${one('')}\n---\nfrontends: {}`, 'frontends.yaml:5: holds more than one document'],
    [
      'a reserved word',
      'frontends:\n  a-device:\n    BASE_URL: https://a.example.com',
      'must not hold -login-',
    ],
    [
      'a name that objects have themselves',
      'frontends:\n  __proto__:\n    BASE_URL: https://a.example.com',
      'frontends.yaml:2 frontends.__proto__: must be a name of',
    ],
    [
      'a variable that objects have themselves',
      one('    CLIENT_SECRET: { env: constructor }'),
      'frontends.yaml:4 frontends.one.CLIENT_SECRET: names a variable of the environment that is not set',
    ],
    [
      'a host that ends in a dot, which no request may',
      'frontends:\n  one:\n    BASE_URL: https://one.example.com.',
      'frontends.yaml:3 frontends.one.BASE_URL: has a host that no request can name',
    ],
    [
      'two addresses that are one after normalisation',
      'frontends:\n  one:\n    BASE_URL: https://ONE.example.com:443/x\n  two:\n    BASE_URL: https://one.example.com/x/',
      'frontends.yaml:5 frontends.two.BASE_URL: is that of one too',
    ],
    ['one key twice', `${one('')}  one:\n    BASE_URL: https://b.example.com`, 'frontends.yaml:4: Map keys'],
    [
      'two that only the scheme tells apart',
      'frontends:\n  one:\n    BASE_URL: http://localhost:3000\n  two:\n    BASE_URL: https://localhost:3000',
      'is that of one too',
    ],
    [
      'one cookie for two',
      `${one('    COOKIE_NAME: coatcheck-two')}\n  two:\n    BASE_URL: https://two.example.com`,
      'gives it the cookies of one',
    ],
    [
      'an address at an endpoint',
      `${one('')}  two:\n    BASE_URL: https://one.example.com/login`,
      "lies at /login, which is one's",
    ],
    [
      'an address within a route',
      `${one('')}  two:\n    BASE_URL: https://one.example.com/api/two`,
      "lies at /api, which is one's",
    ],
  ])('for %s', (_what, file, start) => expect(faults(file).join('\n')).toContain(start))

  it('once for a default that is wrong for all', () => {
    const file = `${one('')}  two:\n    BASE_URL: https://two.example.com`
    expect(faults(file, { SESSION_SECRET: 'short' })).toEqual([expect.stringContaining('SESSION_SECRET: ')])
  })
})

it('keeps nobody from the pages of a frontend below, only from its endpoints and routes', () => {
  const house = load(`frontends:
  top: { BASE_URL: https://x.example.com }
  desk: { BASE_URL: https://x.example.com/desk, AUTH_PREFIX: /auth }
  other: { BASE_URL: https://y.example.com/desk }`)
  const paths = house.frontends.map(({ config }) => config.foreignPaths)
  expect(paths[0]).toEqual(expect.arrayContaining(['/desk/auth/login', '/desk/api']))
  expect(paths[0]).not.toContain('/desk')
  expect(paths.slice(1)).toEqual([[], []])
})

it('takes one frontend only where there is no file', () => {
  expect(() => loadConfig({ ...defaults, BASE_URL: 'https://app.example.com' })).toThrow(
    'FRONTENDS_FILE: names several',
  )
})
