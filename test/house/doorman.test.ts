import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../src/errors/gateway-error.ts'
import { createDoorman } from '../../src/house/doorman.ts'

const doors = {
  shop: { baseUrl: new URL('https://shop.example.com') },
  odd: { baseUrl: new URL('https://shop.example.com:8443') },
  top: { baseUrl: new URL('https://internal.example.com') },
  desk: { baseUrl: new URL('https://internal.example.com/desk') },
  inner: { baseUrl: new URL('https://internal.example.com/desk/inner') },
  local: { baseUrl: new URL('http://[::1]/local') },
}
type Name = keyof typeof doors

const doorman = createDoorman(Object.values(doors), { isTrusted: (address) => address === '10.0.0.1' })

/** The frontend that is chosen, or the code of the refusal. */
function choose(
  lines: readonly (readonly [string, string])[],
  url = '/',
  remoteAddress = '192.0.2.1',
): string {
  const socket = { remoteAddress } as never
  try {
    const chosen = doorman.choose({ rawHeaders: lines.flat(), url, socket })
    return Object.keys(doors).find((name) => doors[name as Name] === chosen) ?? 'nobody'
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    return error.code
  }
}

const host = (value: string, url?: string): string => choose([['Host', value]], url)

describe('the doorman', () => {
  it.each([
    ['shop.example.com', '/', 'shop'],
    ['shop.example.com:443', '/', 'shop'],
    ['SHOP.Example.COM', '/x', 'shop'],
    ['shop.example.com:8443', '/', 'odd'],
    ['internal.example.com', '/', 'top'],
    ['internal.example.com', '/desktop', 'top'],
    ['internal.example.com', '/DESK', 'top'],
    ['internal.example.com', '/%64esk', 'top'],
    ['internal.example.com', '/desk', 'desk'],
    ['internal.example.com', '/desk/', 'desk'],
    ['internal.example.com', '/desk?x=/inner', 'desk'],
    ['internal.example.com', '/desk/innermost', 'desk'],
    ['internal.example.com', '/desk/inner/x', 'inner'],
    ['internal.example.com', '/desk/inner?', 'inner'],
    ['internal.example.com', '/.well-known/oauth-protected-resource/desk/api', 'desk'],
    ['internal.example.com', '/.well-known/oauth-protected-resource/desk/inner?x', 'inner'],
    ['internal.example.com', '/.well-known/oauth-protected-resource/api', 'top'],
    ['internal.example.com', '/.well-known/oauth-protected-resource', 'top'],
    ['internal.example.com', '/.well-known/oauth-protected-resources/desk', 'top'],
    ['internal.example.com', '/desk/.well-known/oauth-protected-resource/top', 'desk'],
    ['[::1]', '/local', 'local'],
    ['[0:0:0::1]:80', '/local/x', 'local'],
  ])('sends %s%s to %s', (authority, url, name) => expect(host(authority, url)).toBe(name))

  it.each([
    ['shop.example.org', '/'],
    ['shop.example.com:80', '/'],
    ['shop.example.com:444', '/'],
    ['example.com', '/'],
    ['[::1]', '/'],
    ['[::2]', '/local'],
    ['127.0.0.1', '/'],
  ])('sends %s%s to nobody', (authority, url) => expect(host(authority, url)).toBe('misdirected_request'))

  it.each([
    '',
    ' ',
    'shop.example.com.',
    'shop.example.com:',
    'shop.example.com:0443',
    'shop.example.com:443:443',
    'shop.example.com,evil.example',
    'shop.example.com, shop.example.com',
    'user@shop.example.com',
    'user:443@shop.example.com',
    'shop.example.com@evil.example',
    'shop.example.com/desk',
    'shop.example.com?x',
    'shop.example.com#x',
    'shop.example.com\\x',
    'https://shop.example.com',
    'shöp.example.com',
    'ſhop.example.com',
    'shop。example.com',
    'shop%2eexample.com',
    '[::1',
    '[::1%25lo]',
    '[::ffff:1.2.3.4.5]',
    'shop..example.com',
    'shop.example.com\t',
  ])('refuses %j as it may be read in two ways', (authority) =>
    expect(host(authority)).toBe('request_invalid'),
  )

  it('refuses none, and more than one, whatever they say', () => {
    expect(choose([])).toBe('request_invalid')
    const twice = [
      ['Host', 'shop.example.com'],
      ['hOST', 'shop.example.com'],
    ] as const
    expect(choose(twice)).toBe('request_invalid')
  })

  it('believes X-Forwarded-Host from a proxy that is trusted, and from nobody else', () => {
    const lines = [
      ['Host', 'internal.example.com'],
      ['X-Forwarded-Host', 'shop.example.com'],
    ] as const
    expect(choose(lines, '/', '10.0.0.1')).toBe('shop')
    expect(choose(lines)).toBe('top')
    expect(choose([['Host', 'shop.example.com']], '/', '10.0.0.1')).toBe('shop')
  })

  it.each([
    [['shop.example.com', 'shop.example.com']],
    [['shop.example.com, internal.example.com']],
    [['']],
    [['shop.example.com.']],
  ])('refuses X-Forwarded-Host %j of a trusted proxy', (values) => {
    const lines = values.map((value) => ['x-forwarded-host', value] as const)
    expect(choose([['Host', 'shop.example.com'], ...lines], '/', '10.0.0.1')).toBe('request_invalid')
    expect(choose([['Host', 'shop.example.com'], ...lines])).toBe('shop')
  })

  it('never sends to a frontend whose authority and path were not asked for', () => {
    const part = fc.constantFrom(
      'shop',
      'internal',
      'example',
      'com',
      '.',
      ':',
      '443',
      '8443',
      '@',
      ',',
      ' ',
      '[',
      ']',
      '::1',
      'X',
    )
    const path = fc
      .array(fc.constantFrom('/', 'desk', 'inner', '?', '..', '%2e', 'x', '/desk', '/inner'))
      .map((parts) => `/${parts.join('')}`)
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), path, (parts, url) => {
        const found = host(parts.join(''), url)
        const door = doors[found as Name]
        if (door === undefined) return
        const authority = parts.join('').toLowerCase()
        const { host: wanted, pathname } = door.baseUrl
        expect([wanted, `${wanted}:443`]).toContain(authority)
        const prefix = pathname === '/' ? '' : pathname
        expect(url.split('?')[0]).toMatch(new RegExp(`^${prefix}(/|$)`))
      }),
    )
  })
})
