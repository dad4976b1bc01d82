import { describe, expect, it } from 'vitest'
import { proxyFor } from '../../src/network/outbound-proxy.ts'

const httpsProxy = 'http://proxy.test:3128/'
const httpProxy = 'http://plain.test:3128/'
const through = (url: string, noProxy: readonly string[] = []) =>
  proxyFor(new URL(url), { httpsProxy, httpProxy, noProxy })

describe('the proxy on the way out', () => {
  it('is chosen by the scheme of what is asked', () => {
    expect(through('https://login.test/x')).toBe(httpsProxy)
    expect(through('http://login.test/x')).toBe(httpProxy)
    expect(proxyFor(new URL('https://login.test'), { httpProxy })).toBeUndefined()
  })

  it.each(['http://localhost:9', 'https://127.0.0.1', 'https://[::1]:8443', 'https://app.localhost'])(
    'never stands before loopback: %s',
    (url) => {
      expect(through(url)).toBeUndefined()
    },
  )

  it.each([
    ['https://login.test', 'login.test'],
    ['https://LOGIN.test.', 'login.test'],
    ['https://eu.login.test', 'login.test'],
    ['https://eu.login.test', '.login.test'],
    ['https://eu.login.test', '*.login.test'],
    ['https://login.test:8443', 'login.test:8443'],
    ['https://login.test', 'login.test:443'],
    ['https://10.1.2.3', '10.0.0.0/8'],
    ['https://10.1.2.3', '10.1.2.3'],
    ['https://[fd00::1]', 'fd00::/8'],
    ['https://[fd00::1]', 'fd00::1'],
    ['https://[fd00::1]', '[fd00::1]'],
    ['https://anything.test', '*'],
  ])('does not stand before %s with NO_PROXY=%s', (url, entry) => {
    expect(through(url, ['other.test', entry])).toBeUndefined()
  })

  it.each([
    ['https://evillogin.test', 'login.test'],
    ['https://login.test.evil', 'login.test'],
    ['https://login.test', 'login.test:8443'],
    ['https://11.1.2.3', '10.0.0.0/8'],
    ['https://10.evil.test', '10.0.0.0/8'],
    ['https://1.10.1.2', '10.1.2'],
  ])('stands before %s with NO_PROXY=%s', (url, entry) => {
    expect(through(url, [entry])).toBe(httpsProxy)
  })
})
