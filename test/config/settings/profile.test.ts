import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { effectiveSettings } from '../../../src/config/load-config.ts'
import { faultsOf, load, minimalEnv } from '../fixtures.ts'

const clientKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()
const base = { CLIENT_KEY: clientKey, SECURITY_PROFILE: 'fapi2' }
const problemsOf = (env: Readonly<Record<string, string>>) =>
  faultsOf({ ...base, ...env }).map(({ name, problem }) => `${name} ${problem}`)

describe('a security profile', () => {
  it('sets what is left out', () => {
    expect(load(base)).toMatchObject({
      pushedAuthorizationRequests: 'on',
      tokenBinding: 'dpop',
      requestObject: 'off',
      responseMode: 'query',
      idTokenAlgorithm: ['PS256', 'ES256', 'EdDSA'],
    })
    expect(load({ ...base, SECURITY_PROFILE: 'fapi2-message-signing' })).toMatchObject({
      pushedAuthorizationRequests: 'on',
      tokenBinding: 'dpop',
      requestObject: 'signed',
      responseMode: 'jwt',
    })
    expect(load()).toMatchObject({ pushedAuthorizationRequests: 'auto', tokenBinding: 'none' })
  })

  it('is known in any spelling of its letters', () => {
    const shouted = load({ ...base, SECURITY_PROFILE: base.SECURITY_PROFILE.toUpperCase() })
    expect(shouted).toEqual(load(base))
  })

  it('shows what it has set', () => {
    const shown = effectiveSettings({ ...minimalEnv, ...base }, { readFile: () => '' })
    const pushed = shown.find(({ name }) => name === 'PUSHED_AUTHORIZATION_REQUESTS')
    expect(pushed).toMatchObject({ text: 'on', source: 'default' })
  })

  it('leaves alone what fits', () => {
    const env = {
      ...base,
      CLIENT_SECRET: '',
      CLIENT_AUTHENTICATION: 'private_key_jwt',
      ID_TOKEN_ALGORITHM: 'Ed25519',
    }
    expect(load({ ...env, REQUEST_OBJECT: 'signed', RESPONSE_MODE: 'form_post' })).toMatchObject({
      requestObject: 'signed',
      responseMode: 'form_post',
      idTokenAlgorithm: ['Ed25519'],
    })
  })

  it.each([
    ['PUSHED_AUTHORIZATION_REQUESTS', 'off'],
    ['PUSHED_AUTHORIZATION_REQUESTS', 'auto'],
    ['CLIENT_AUTHENTICATION', 'client_secret_basic'],
    ['CLIENT_AUTHENTICATION', 'client_secret_post'],
    ['CLIENT_AUTHENTICATION', 'none'],
    ['TOKEN_BINDING', 'none'],
    ['ID_TOKEN_ALGORITHM', 'RS256'],
    ['ID_TOKEN_ALGORITHM', 'PS256,ES512'],
  ])('is contradicted by %s=%s', (name, value) => {
    expect(problemsOf({ [name]: value })).toEqual([
      expect.stringMatching(new RegExp(`^${name} .*contradicts SECURITY_PROFILE=fapi2`)),
    ])
  })

  it.each([
    ['REQUEST_OBJECT', 'off'],
    ['RESPONSE_MODE', 'query'],
    ['RESPONSE_MODE', 'form_post'],
  ])('of signed messages is contradicted by %s=%s', (name, value) => {
    const profile = { SECURITY_PROFILE: 'fapi2-message-signing' }
    expect(problemsOf({ ...profile, [name]: value })).toEqual([
      expect.stringMatching(new RegExp(`^${name} contradicts SECURITY_PROFILE=fapi2-message-signing`)),
    ])
    expect(problemsOf({ [name]: value })).toEqual([])
  })

  it('wants a key or a certificate, and no shared secret in their place', () => {
    expect(problemsOf({ CLIENT_KEY: '' })).toEqual([expect.stringContaining('CLIENT_KEY is missing')])
  })

  it('refuses an assertion of the platform, and a key that is marked for another algorithm', () => {
    expect(problemsOf({ CLIENT_ASSERTION_FILE: '/run/token' })).toEqual([
      expect.stringMatching(/^CLIENT_ASSERTION_FILE contradicts SECURITY_PROFILE=fapi2/),
    ])
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
    const marked = (alg: string) => JSON.stringify({ ...privateKey.export({ format: 'jwk' }), alg })
    expect(problemsOf({ CLIENT_KEY: marked('RS256') })).toEqual([
      expect.stringMatching(/^CLIENT_KEY .*RS256.* contradicts SECURITY_PROFILE=fapi2/),
    ])
    expect(problemsOf({ CLIENT_KEY: marked('PS256') })).toEqual([])
  })

  it('of another name is refused by its own', () => {
    expect(problemsOf({ SECURITY_PROFILE: 'fapi1' })).toEqual([expect.stringMatching(/^SECURITY_PROFILE /)])
  })
})
