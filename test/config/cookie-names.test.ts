import { describe, expect, it } from 'vitest'
import { cookieWordOf, gatewayCookieNames, hasReservedEnding } from '../../src/config/cookie-names.ts'

const wordOf = (baseUrl: string, cookieName?: string): string =>
  cookieWordOf({ baseUrl: new URL(baseUrl), cookieName })

describe('the word of the cookies', () => {
  it.each([
    ['https://app.example.com', 'coatcheck'],
    ['https://app.example.com:8443', 'coatcheck'],
    ['http://localhost:3000', 'coatcheck-3000'],
    ['http://127.0.0.1:8080', 'coatcheck-8080'],
    ['http://[::1]:8080', 'coatcheck-8080'],
    ['http://localhost', 'coatcheck'],
    ['http://localhost:80', 'coatcheck'],
  ])('of %s is %s', (baseUrl, word) => expect(wordOf(baseUrl)).toBe(word))

  it('is COOKIE_NAME wherever that is set', () => {
    expect(wordOf('https://app.example.com', 'shop')).toBe('shop')
    expect(wordOf('http://localhost:3000', 'shop')).toBe('shop')
  })
})

describe('what is a cookie of a gateway in this process', () => {
  const names = gatewayCookieNames(['shop', 'coatcheck-Desk', 'a-login'])

  it.each([
    'shop',
    'SHOP',
    '__Host-Http-shop',
    '__host-http-shop-login-12345678',
    'shop-logout-x',
    'shop-login-',
    '__Host-shop-device',
    'coatcheck-desk',
    '__Host-Http-coatcheck-desk-login-abcdefgh',
    'a-login',
    '__Host-Http-a-login-login-abcdefgh',
    'a-login-logout-abcdefgh',
    '__Host-a-login-device',
    // Of other gateways under the same host name.
    'coatcheck',
    'coatcheck-3000',
    '__Host-coatcheck-device',
    '__Secure-coatcheck',
  ])('%s', (name) => expect(names.has(name)).toBe(true))

  it.each(['', 'shop2', 'my-shop', 'shop-theme', 'desk', 'coatcheck-theme', 'shop-devices'])(
    'not %s',
    (name) => expect(names.has(name)).toBe(false),
  )
})

it.each(['a-login-b', 'a-logout-b', 'a-device', 'A-Device'])('%s would be taken for another kind', (word) =>
  expect(hasReservedEnding(word)).toBe(true),
)

it.each(['login', 'devices', 'a-login', 'a-device-b'])('%s is a word like any other', (word) =>
  expect(hasReservedEnding(word)).toBe(false),
)
