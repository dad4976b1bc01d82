import { describe, expect, it } from 'vitest'
import { endpointOf } from '../../../src/oidc/provider/endpoints.ts'

const local = 'http://127.0.0.1:4000/token'

describe('an endpoint that the metadata name', () => {
  it.each([
    ['https://login.example.com/', 'https://login.example.com/token'],
    ['https://login.example.com/', 'https://elsewhere.example/token'],
    ['http://localhost:4000/', local],
  ])('of the issuer %s is used: %s', (issuer, url) => {
    expect(endpointOf({ token_endpoint: url }, 'token_endpoint', issuer)?.href).toBe(url)
  })

  it.each([
    ['https://login.example.com/', local, 'whoever listens there gets the code'],
    ['https://login.example.com/', 'http://login.example.com/token', 'in the clear'],
    ['http://localhost:4000/', 'http://login.example.com/token', 'in the clear'],
    ['http://localhost:4000/', 'http://evillocalhost/token', 'no loopback'],
    ['https://login.example.com/', 'https://user:pw@login.example.com/token', 'with a password'],
    ['https://login.example.com/', 'javascript:alert(1)', 'no address'],
  ])('of the issuer %s is not used: %s (%s)', (issuer, url) => {
    expect(endpointOf({ token_endpoint: url }, 'token_endpoint', issuer)).toBeUndefined()
  })
})
