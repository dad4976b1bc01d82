import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isReservedPath, resolveReturnTo } from '../../../src/http/guards/return-to.ts'

const rules = {
  baseUrl: new URL('https://app.example.com'),
  basePath: '',
  reservedPaths: ['/api', '/v2/data', '/login', '/logout', '/callback', '/session', '/sessions', '/livez'],
}
const resolve = (untrusted: string) => resolveReturnTo(untrusted, rules)

/** Addresses that would leave the origin, or hide that they do. Each is refused or turned into a path of ours. */
const hostile = [
  ...['//evil.example', '///evil.example', '////evil.example/x', '//evil.example/..', '//evil.example:443'],
  ...[
    '/\\evil.example',
    '\\/evil.example',
    '\\\\evil.example',
    '/\\/evil.example',
    '\\evil.example',
    '/x\\..\\api',
  ],
  ...[
    '/\t/evil.example',
    '/\n/evil.example',
    '/\r\n/evil.example',
    '\t//evil.example',
    ' //evil.example',
    '/\0/evil.example',
  ],
  ...[
    'https://evil.example',
    'https:evil.example',
    'https:/evil.example',
    'https:///evil.example',
    'HTTPS://EVIL.EXAMPLE',
  ],
  ...[
    'http://app.example.com',
    'http://app.example.com/x',
    'https://app.example.com:8443/',
    'https://app.example.com.evil.example/',
  ],
  ...[
    'https://app.example.com@evil.example/',
    'https://evil.example#@app.example.com',
    'https://evil.example?app.example.com',
  ],
  ...[
    'https://evil.example\\@app.example.com',
    'https://app.example.com%2eevil.example',
    'https://app.example.com%00.evil.example',
  ],
  ...[
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'blob:https://app.example.com/x',
  ],
  ...[
    'file:///etc/passwd',
    'ftp://app.example.com/',
    'ws://app.example.com/',
    'mailto:a@b.example',
    'about:blank',
    'view-source:https://evil.example',
  ],
  ...[
    '/.//evil.example',
    '/..//evil.example',
    '/x/..//evil.example',
    '/./..//evil.example',
    '/%2e//evil.example',
    '/%2e%2e//evil.example',
  ],
  ...[
    './/evil.example',
    '..//evil.example',
    './/./evil.example',
    '/.///evil.example',
    '/;//evil.example',
    '/..;//evil.example',
  ],
  ...[
    '/%2f/evil.example',
    '/%2fevil.example',
    '/%5cevil.example',
    '/%5c%5cevil.example',
    '%2f%2fevil.example',
    '/%09/evil.example',
  ],
  ...[
    '/%0d%0aSet-Cookie:x=1',
    '/x\r\nSet-Cookie: x=1',
    '/%0aLocation:https://evil.example',
    '/\u2028/evil.example',
    '/\u2029/evil.example',
  ],
  ...[
    '／／evil.example',
    '/／evil.example',
    '//evil。example',
    '//ｅvil.example',
    '/\u00a0/evil.example',
    '\u3000//evil.example',
  ],
  ...[
    '//[::1]/',
    '//127.0.0.1/',
    '//2130706433/',
    '//0x7f.1/',
    '//evil.example%2f@app.example.com',
    '//app.example.com@evil.example',
  ],
  ...[
    '//app.example.com.',
    'https://app.example.com./',
    'https://xn--app-example.com/',
    '//user:pass@evil.example',
    '?//evil.example',
  ],
  ...[
    '#//evil.example',
    '/?next=//evil.example',
    '/#https://evil.example',
    'evil.example',
    'evil.example/path',
    '@evil.example',
  ],
  ...[
    ':evil.example',
    '://evil.example',
    'http:',
    'https:',
    'https://',
    '//',
    '///',
    '/:80',
    'x:y',
    '1http://evil.example',
  ],
] as const

/** Addresses that a browser must not be sent back to, in every spelling that the router or an API might understand. */
const reserved = [
  ...[
    '/api',
    '/api/',
    '/api/x',
    '/API/x',
    '/aPi',
    '/./api',
    '/x/../api',
    '/%61pi',
    '/%61%70%69/x',
    '/%2561pi/x',
    '/%252561pi',
  ],
  ...[
    '/x/%2e%2e/api',
    '/x%2f..%2fapi',
    '/x/%252e%252e/api',
    '//app.example.com/api',
    'https://app.example.com/api?x=1',
    '/.//api',
  ],
  ...[
    '/api;x/y',
    '/api%3bx',
    '/x/..;/api',
    '/api%2fx',
    '/api%5cx',
    '/login',
    '/LOGIN',
    '/login/',
    '/login?returnTo=/login',
  ],
  ...[
    '/logout',
    '/logout/callback',
    '/callback?code=1&state=2',
    '/session',
    '/session/refresh',
    '/sessions/1',
    '/livez',
  ],
  ...[
    '/v2/data',
    '/v2/./data/x',
    '/V2/%64ata',
    '/v2//data',
    'login',
    './api',
    'api',
    '/x/../../api',
    '/%6cogin#x',
  ],
] as const

describe('a return address', () => {
  it.each([
    ['/', '/'],
    ['', '/'],
    ['/orders', '/orders'],
    ['/orders?x=1&x=2#top', '/orders?x=1&x=2#top'],
    ['https://app.example.com/orders', '/orders'],
    ['https://app.example.com:443/orders', '/orders'],
    ['/ä', '/%C3%A4'],
    ['/100%25', '/100%25'],
    ['/apiary', '/apiary'],
    ['/v2', '/v2'],
    ['/a/../b', '/b'],
    ['/users/john.doe', '/users/john.doe'],
    ['/.//evil.example', '/.//evil.example'],
  ])('%j leads to %s', (untrusted, expected) => {
    expect(resolve(untrusted)).toBe(expected)
  })

  it.each(hostile)('%j never leaves the origin', (untrusted) => {
    const result = resolve(untrusted)
    if (result === undefined) return
    expect(result).toMatch(/^\/(?![/\\])/)
    expect(new URL(result, rules.baseUrl).origin).toBe(rules.baseUrl.origin)
  })

  it.each(hostile.filter((one) => /^(?:[\\/]{2}|https?:\/\/|blob:|javascript:)/i.test(one)))(
    '%j is refused',
    (untrusted) => {
      expect(resolve(untrusted)).toBeUndefined()
    },
  )

  it.each(reserved)('%j is refused, because it is not a page of the app', (untrusted) => {
    expect(resolve(untrusted)).toBeUndefined()
  })

  it.each(['/a\\b', '/a\tb', '/a\nb', '/a\x7fb', '/a?x=\\', '\0'])(
    '%j is refused, because readers disagree about it',
    (untrusted) => {
      expect(resolve(untrusted)).toBeUndefined()
    },
  )

  it('is the start page beyond 2,048 bytes, before and after it is serialised, whatever it says', () => {
    expect(resolve(`/${'x'.repeat(2_047)}`)).toHaveLength(2_048)
    expect(resolve(`/${'x'.repeat(2_048)}`)).toBe('/')
    expect(resolve(`/${'ä'.repeat(700)}`)).toBe('/')
    expect(resolve(`https://evil.example/${'x'.repeat(2_048)}`)).toBe('/')
    expect(resolve(`/api/${'x'.repeat(30_000)}`)).toBe('/')
  })

  it('and paths of 30 KB cost next to nothing, however they are escaped, with twenty prefixes', () => {
    const prefixes = Array.from({ length: 20 }, (_, at) => `/prefix-${at}`)
    const paths = [
      '/a'.repeat(15_000),
      '/%61'.repeat(7_500),
      '/%2525252561'.repeat(2_500),
      '/;a/..'.repeat(5_000),
    ]
    for (const path of paths) isReservedPath(path, prefixes)
    const begunAt = process.cpuUsage()
    for (let round = 0; round < 20; round += 1) for (const path of paths) isReservedPath(path, prefixes)
    const { user, system } = process.cpuUsage(begunAt)
    expect((user + system) / 1_000 / (20 * paths.length)).toBeLessThan(20)
  })

  it('is refused when its path cannot be decoded', () => {
    expect(resolve('/50%')).toBeUndefined()
    expect(resolve('/%ff')).toBeUndefined()
  })

  const part = fc.oneof(
    fc.constantFrom(
      '/',
      '//',
      '\\',
      '.',
      '..',
      '%2e',
      '%2f',
      '%5c',
      ';',
      '@',
      ':',
      '?',
      '#',
      '\t',
      '\n',
      '%00',
      '%25',
    ),
    fc.constantFrom(
      'evil.example',
      'app.example.com',
      'https:',
      'http:',
      'javascript:',
      'api',
      'API',
      '%61pi',
      'login',
      'x',
    ),
    fc.string({ maxLength: 6, unit: 'binary' }),
  )
  const address = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(''))

  it('resolves within the origin, outside reserved paths, and to itself, whatever was asked for', () => {
    fc.assert(
      fc.property(address, (untrusted) => {
        const result = resolve(untrusted)
        if (result === undefined) return
        const url = new URL(result, rules.baseUrl)
        expect(url.origin).toBe('https://app.example.com')
        expect(result.startsWith('/') && !result.startsWith('//')).toBe(true)
        expect(resolve(result)).toBe(result)
        expect(decodeURIComponent(url.pathname).toLowerCase()).not.toMatch(/^\/+(?:api|login)(?:\/|$)/)
        expect(result).toMatch(/^[\x21-\x7e]+$/)
      }),
      { numRuns: 3_000 },
    )
  })
})
