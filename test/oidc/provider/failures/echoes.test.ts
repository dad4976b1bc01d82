import { describe, expect, it } from 'vitest'
import { secretsSent, withoutSecrets } from '../../../../src/oidc/provider/failures/echoes.ts'

const secret = 'p/w+ä:=1'
const basic = Buffer.from(`gateway:${encodeURIComponent(secret)}`).toString('base64')

describe('what a request has sent', () => {
  it('is found in its form, and in its credentials taken apart', () => {
    const body = new URLSearchParams({ grant_type: 'refresh_token', scope: 'openid', refresh_token: 'r-1' })
    const headers = { authorization: `Basic ${basic}` }
    expect(secretsSent({ headers, body })).toEqual(['r-1', basic, secret])
    expect(secretsSent({ headers: { authorization: 'Bearer opaque' }, body: undefined })).toEqual(['opaque'])
  })

  it.each([
    ['as it is', secret],
    ['encoded as in an address', 'p%2Fw%2B%C3%A4%3A%3D1'],
    ['encoded in lower case', 'p%2fw%2b%c3%a4%3a%3d1'],
  ])('is taken out of a text: %s', (_how, spelt) => {
    expect(withoutSecrets(`no "${spelt}" here`, [secret])).toBe('no "[a secret]" here')
  })

  it('is taken out encoded as in a form, where a blank is a plus', () => {
    expect(withoutSecrets('no a+b+c here', ['a b c'])).toBe('no [a secret] here')
  })

  it.each(['secret', 'a.c*', '(b|c)[d]\\$&'])('is taken out once, whatever stands in it: %s', (value) => {
    expect(withoutSecrets(`no ${value} here`, [value, 'abbc', 'cret]'])).toBe('no [a secret] here')
    expect(withoutSecrets('a-cc', ['a.c*'])).toBe('a-cc')
  })

  it('is taken out whole where one secret is a part of another', () => {
    expect(withoutSecrets('code-1-of-2', ['code-1', 'code-1-of-2'])).toBe('[a secret]')
  })

  it('leaves words alone that are too short for a secret, and what is public', () => {
    const body = new URLSearchParams({ client_id: 'gateway', audience: 'orders', state: 'no' })
    const secrets = secretsSent({ headers: {}, body })
    expect(withoutSecrets('no: gateway may not ask for orders', secrets)).toBe(
      'no: gateway may not ask for orders',
    )
  })
})
