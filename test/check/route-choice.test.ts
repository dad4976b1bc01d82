import { describe, expect, it } from 'vitest'
import { createRouteChoice } from '../../src/check/route-choice.ts'
import { GatewayError } from '../../src/errors/gateway-error.ts'

const choose = createRouteChoice(
  ['/api', '/api/admin', '/public', '/api/admin/log'].map((prefix) => ({ prefix })),
  [],
)

function answerTo(target: string): string {
  try {
    return choose(target).prefix
  } catch (error) {
    return error instanceof GatewayError ? `${error.code} ${error.status ?? ''}`.trim() : String(error)
  }
}

const cases: readonly (readonly [string, readonly string[]])[] = [
  ['/api', ['/api', '/api/', '/api?x', '/api/x', '/api/x?y=/api/admin', '/api/administrators', '/api/%7Ex']],
  ['/api/admin', ['/api/admin', '/api/admin/x', '/api/admin/logs', '/api/admin?/public']],
  ['/api/admin/log', ['/api/admin/log', '/api/admin/log/1']],
  ['/public', ['/public/a.js', '/public/%C3%A4']],
  // Nothing is let through by default.
  [
    'not_found 403',
    [
      '/',
      '/x',
      '/apis',
      '/API',
      '/Api/x',
      '//api/x',
      '/%61pi/x',
      '/x/../api',
      '',
      '*',
      'api',
      'http://a/api',
    ],
  ],
  // What somebody could take for another route's.
  [
    'request_target_rejected',
    [
      '/api/Admin/x',
      '/api/ADMIN',
      '/api/%61dmin/x',
      '/api/%2561dmin/x',
      '/api//admin/x',
      '/api/./admin',
      '/api/;x/admin',
      '/api/x/../admin',
      '/api/%2e/admin',
      '/api%2fx/../../api/admin'.replace('%2f', '/'),
      '/public/../api/x',
      '/public/..%2fapi/x',
      '/public/%2e%2e/api/x',
      '/public/..;/api',
      '/api/admin;v=1',
      '/api/admin/;x/log',
      '/public/%5c..%5capi',
      '/public/%25252525252e',
    ],
  ],
]

describe('the route of a target', () => {
  it.each(cases.flatMap(([expected, targets]) => targets.map((target) => [target, expected] as const)))(
    '%s: %s',
    (target, expected) => {
      expect(answerTo(target)).toBe(expected)
    },
  )
})

describe('a route for everything', () => {
  const chooseAny = createRouteChoice(
    ['', '/api'].map((prefix) => ({ prefix })),
    ['/auth/login', '/livez'],
  )

  it('is taken where no other is', () => {
    expect(['/', '/x', '/api', '/apis'].map((target) => chooseAny(target).prefix)).toEqual([
      '',
      '',
      '/api',
      '',
    ])
  })

  it("does not hold the gateway's own endpoints, nor what may be another route's", () => {
    for (const target of ['/auth/login', '/auth/login/x', '/auth/login?x', '/livez'])
      expect(() => chooseAny(target)).toThrow('not_found')
    for (const target of ['/Api/x', '/%61pi', '//api', '/x/../api', '/;x/api'])
      expect(() => chooseAny(target)).toThrow('request_target_rejected')
    for (const target of ['', '*', 'x', 'http://a/']) expect(() => chooseAny(target)).toThrow('not_found')
  })
})
