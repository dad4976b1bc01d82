import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load-config.ts'
import { configWarnings } from '../../src/config/warnings.ts'
import { load, minimalEnv } from './fixtures.ts'

const warningsOf = (sessionSecret: string) =>
  configWarnings(loadConfig({ ...minimalEnv, SESSION_SECRET: sessionSecret }))

describe('a SESSION_SECRET', () => {
  it('that nobody drew at random is warned about without being shown', () => {
    const [warning = '', ...more] = warningsOf(`${minimalEnv.SESSION_SECRET},${'abcdefg'.repeat(5)}`)
    expect(more).toEqual([])
    expect(warning).toContain('SESSION_SECRET')
    expect(warning).not.toContain('abcdefg')
  })

  it('that could be random is not', () => {
    expect(warningsOf('0123456789abcdef0123456789abcdef')).toEqual([])
  })
})

it('online_access is warned about, alone and beside offline_access', () => {
  const scope = 'openid online_access offline_access'
  expect(configWarnings(loadConfig({ ...minimalEnv, SCOPE: scope }))).toEqual([
    expect.stringContaining('Auth0 refuses'),
  ])
  expect(configWarnings(loadConfig({ ...minimalEnv, SCOPE: 'openid online_access' }))).toEqual([
    expect.stringContaining('a sign-out'),
  ])
})

it.each([
  [undefined, ['/x, /']],
  ['9465', []],
])('routes that another proxy carries, with FORWARD_AUTH_PORT=%s, are warned about: %j', (port, named) => {
  const files = {
    '/r.yaml':
      'routes: [{prefix: /a, upstream: "http://a"}, {prefix: /x, upstream: external}, {prefix: /, upstream: external}]',
  }
  const warnings = configWarnings(
    load(
      { API_URL: '', ROUTES_FILE: '/r.yaml', ...(port === undefined ? {} : { FORWARD_AUTH_PORT: port }) },
      files,
    ),
  )
  expect(warnings).toEqual(
    named.map((prefixes) =>
      expect.stringContaining(
        `FORWARD_AUTH_PORT is not set, so nobody can ask about routes with upstream: external (${prefixes})`,
      ),
    ),
  )
})

it.each([
  ['auto', '240', 0],
  ['auto', '239', 1],
  ['off', '60', 0],
])(
  'DEVICE_BINDING=%s with proofs of %s s warns %d times',
  (DEVICE_BINDING, DEVICE_BINDING_LIFETIME, times) => {
    const warnings = configWarnings(loadConfig({ ...minimalEnv, DEVICE_BINDING, DEVICE_BINDING_LIFETIME }))
    expect(warnings.filter((warning) => warning.startsWith('DEVICE_BINDING_LIFETIME'))).toHaveLength(times)
  },
)
