import { describe, expect, test } from 'vitest'
import { createLeakScan } from './leak-scan.ts'

const opaque = 'kUwz3GJvqQ-Zs81xw0bLqYpT7dR2mNfH'
const payload = Buffer.from('{"sub":"alice","iat":1795000000,"aud":"https://api.example.test"}')
const jwt = `eyJhbGciOiJSUzI1NiJ9.${payload.toString('base64url')}.${Buffer.alloc(64, 7).toString('base64url')}`

function leaksIn(secret: string, content: string | Buffer) {
  const scan = createLeakScan()
  scan.secret('access token', secret)
  scan.surface('place', content)
  return scan.leaks()
}

describe('the leak scan finds', () => {
  test.each([
    ['as it is', `x=${opaque};`],
    ['cut off at the end', `x=${opaque.slice(0, 26)}…`],
    ['without its beginning', `…${opaque.slice(-25)}`],
    ['in base64', `x ${Buffer.from(opaque).toString('base64')}`],
    ['in base64, one byte in', `x ${Buffer.from(`"${opaque}"`).toString('base64')}`],
    ['in base64url, two bytes in', `x ${Buffer.from(`{"${opaque}"`).toString('base64url')}`],
    ['in hexadecimal', `x ${Buffer.from(opaque).toString('hex')}`],
    ['decoded to bytes', Buffer.concat([Buffer.from('x'), Buffer.from(opaque, 'base64url')])],
  ])('an opaque secret %s', (_, content) => {
    expect(leaksIn(opaque, content)).not.toEqual([])
  })

  test.each([
    ['whole', `token ${jwt} end`],
    ['by its payload alone', `p=${payload.toString('base64url')}`],
    ['by its claims in the clear', Buffer.concat([Buffer.from([1, 2]), payload])],
    ['by its signature as bytes', Buffer.alloc(70, 7)],
  ])('a JWT %s', (_, content) => {
    expect(leaksIn(jwt, content)).not.toEqual([])
  })

  test('a secret that only URL-encoding changes', () => {
    expect(leaksIn('p+q/r=s t&uvwxyz', 'a=p%2Bq%2Fr%3Ds%20t%26uvwxyz')).not.toEqual([])
  })
})

describe('the leak scan passes', () => {
  test('a place without the secret', () => {
    expect(leaksIn(opaque, 'nothing to see here')).toEqual([])
  })

  test('the header of a JWT, which all of them share', () => {
    expect(leaksIn(jwt, 'eyJhbGciOiJSUzI1NiJ9')).toEqual([])
  })

  test('a kind that the place may show', () => {
    const scan = createLeakScan()
    scan.secret('id token', jwt)
    scan.surface('end-session address', `?id_token_hint=${jwt}`, ['id token'])
    expect(scan.leaks()).toEqual([])
  })
})
