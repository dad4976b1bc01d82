import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCookies } from '../../../src/http/cookies/cookies.ts'

const options = {
  baseUrl: new URL('https://app.example.com'),
  cookieWord: 'coatcheck',
  sessionCookiePersistent: false,
  sessionMaxLifetime: 36_000,
}
const cookies = createCookies(options)
const local = createCookies({ ...options, baseUrl: new URL('http://localhost:3000') })
const id = 'A'.repeat(42).concat('_')
const name = '__Host-Http-coatcheck'

describe('the session cookie', () => {
  it('is HttpOnly, Secure, Strict, for all paths, without domain and age', () => {
    expect(cookies.setSession(id)).toBe(`${name}=${id}; Path=/; HttpOnly; Secure; SameSite=Strict`)
  })

  it('has neither prefix nor Secure on http, which only loopback may use', () => {
    expect(local.setSession(id)).toBe(`coatcheck=${id}; Path=/; HttpOnly; SameSite=Strict`)
  })

  it('lives as long as the session may when it is persistent', () => {
    const persistent = createCookies({ ...options, sessionCookiePersistent: true })
    expect(persistent.setSession(id)).toBe(`${cookies.setSession(id)}; Max-Age=36000`)
  })

  it('is cleared with the attributes it was set with', () => {
    const attributes = 'Path=/; HttpOnly; Secure; SameSite=Strict'
    expect(cookies.clearSession()).toBe(
      `${name}=; ${attributes}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT`,
    )
  })

  it.each([
    ['alone', `${name}=${id}`],
    ['first', `${name}=${id}; other=1`],
    ['last', `other=1; ${name}=${id}`],
    ['without blanks', `a=1;${name}=${id};b=2`],
    ['beside a longer name', `x${name}=evil; ${name}=${id}; ${name}x=evil; ${name}-login-12345678=t`],
    ['beside its name as a value', `a=${name}; ${name}=${id}`],
  ])('is read %s', (_where, header) => {
    expect(cookies.readSession(header)).toBe(id)
  })

  it.each([
    ['nothing', undefined],
    ['an empty header', ''],
    ['another cookie', 'other=1'],
    ['the same cookie twice', `${name}=${id}; ${name}=${id}`],
    ['two different ones', `${name}=${id}; ${name}=${'B'.repeat(43)}`],
    ['a second one with blanks', `${name}=${id}; ${name} =x`],
    ['a truncated one', `${name}=${id.slice(1)}`],
    ['a longer one', `${name}=${id}A`],
    ['a quoted one', `${name}="${id}"`],
    ['an escaped one', `${name}=%41${id.slice(1)}`],
    ['another case', `${name.toLowerCase()}=${id}`],
    ['the name of http', `coatcheck=${id}`],
    ['a value within a value', `a=b ${name}=${id}`],
    ['a line break', `${name}=${id}\n`],
  ])('is not there in %s', (_what, header) => {
    expect(cookies.readSession(header)).toBeUndefined()
  })

  it('agrees with a reader that splits, whatever surrounds it', () => {
    const slow = (header: string) => {
      const named = header
        .split(';')
        .filter((pair) => pair.includes('=') && pair.split('=')[0]?.trim() === name)
      // A blank before the equals sign: ours by name, but nobody's cookie.
      const value = /^[ \t]*[^ \t=]+=(.*)$/.exec(named[0] ?? '')?.[1]
      return named.length === 1 && /^[\w-]{43}$/.test(value ?? '') ? value : undefined
    }
    const piece = fc.constantFrom(name, id, '=', ';', ' ', '; ', 'x', 'coatcheck', `${name}=${id}`, '__Host-')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
        expect(cookies.readSession(pieces.join(''))).toBe(slow(pieces.join('')))
      }),
      { numRuns: 5_000 },
    )
  })
})

describe('transaction cookies', () => {
  it('are Lax, because the callback comes from another site, and last ten minutes', () => {
    const login = cookies.transactionName('login', 'abcdefghijkl')
    expect(cookies.setTransaction(login, 'sealed')).toBe(
      '__Host-Http-coatcheck-login-abcdefgh=sealed; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=600',
    )
  })

  it('are found by kind; one that is there twice is worth nothing', () => {
    const header = `${name}-login-aaaaaaaa=1; ${name}-logout-bbbbbbbb=2; ${name}-login-cccccccc=3; ${name}-login-cccccccc=4; ${name}-login-x=5`
    expect(cookies.readTransactions('login', header)).toEqual([
      { name: `${name}-login-aaaaaaaa`, untrustedValue: '1' },
      { name: `${name}-login-cccccccc`, untrustedValue: '' },
    ])
  })
})

it.each(['coatcheck', name, `${name}-login-x`, 'coatcheck-logout-12345678', '__HOST-HTTP-COATCHECK'])(
  '%s is a cookie of the gateway',
  (own) => expect(cookies.isGatewayCookie(own)).toBe(true),
)

it.each(['coatcheck2', 'my-coatcheck', 'coatcheck-theme', 'session'])('%s is not', (other) =>
  expect(cookies.isGatewayCookie(other)).toBe(false),
)

it('takes COOKIE_NAME in place of its word, and nothing else of the name changes', () => {
  const named = createCookies({ ...options, cookieWord: 'shop' })
  expect(named.setSession(id)).toBe(cookies.setSession(id).replace('coatcheck', 'shop'))
  const transaction = named.transactionName('login', 'abcdefghi')
  expect(transaction).toBe('__Host-Http-shop-login-abcdefgh')
  expect([named.sessionName, transaction].every(named.isGatewayCookie)).toBe(true)
})
