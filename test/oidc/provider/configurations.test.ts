import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProviderOptions } from '../../../src/oidc/provider/options.ts'
import type { CompletedLogin, Provider } from '../../../src/oidc/provider/provider.ts'
import { createNonceMemory } from '../../../src/signing/nonces.ts'
import { publishedKeys, readPrivateKeys } from '../../../src/signing/signing-keys.ts'
import { type Certificates, makeCertificates } from '../../support/certificates.ts'
import { openFapi, signIn } from '../../support/fapi-login.ts'
import {
  type FapiProvider,
  type FapiProviderOptions,
  fapiAudience,
  startFapiProvider,
} from '../../support/fapi-provider.ts'

const pemOf = (pair: ReturnType<typeof generateKeyPairSync>) =>
  pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
const clientKey = pemOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
const opener = pemOf(generateKeyPairSync('rsa', { modulusLength: 2_048 }))
const keys = {
  keys: [
    ...publishedKeys(readPrivateKeys(clientKey), 'sig'),
    ...publishedKeys(readPrivateKeys(opener), 'enc'),
  ],
}
const clientSecret = 'the-secret-of-many-configurations-0123456789'
const secret = { client_secret: clientSecret, token_endpoint_auth_method: 'client_secret_post' }

/** A key of the provider's. */
const signingKey = (alg: string) => {
  const pair =
    alg === 'EdDSA'
      ? generateKeyPairSync('ed25519')
      : alg === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('rsa', { modulusLength: 2_048 })
  return { ...pair.privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg }
}

/** An ordinary provider: nothing of the FAPI profile is demanded. */
const plainFeatures = {
  fapi: { enabled: false },
  pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: false },
}
const plainConfiguration = {
  clientAuthMethods: ['client_secret_post', 'client_secret_basic', 'private_key_jwt', 'none'],
  jwks: { keys: ['RS256', 'PS256', 'ES256', 'EdDSA'].map(signingKey) },
  enabledJWA: {
    idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'],
    idTokenEncryptionAlgValues: ['RSA-OAEP-256'],
    userinfoSigningAlgValues: ['RS256'],
    authorizationSigningAlgValues: ['RS256'],
    requestObjectSigningAlgValues: ['ES256'],
    clientAuthSigningAlgValues: ['ES256'],
  },
}

/** How one provider is configured, and what the gateway is told of it. */
interface Configuration {
  readonly client: object
  readonly features?: object
  readonly configuration?: object
  readonly tls?: () => FapiProviderOptions['tls']
  readonly options?: (fapi: FapiProvider) => Partial<ProviderOptions>
  /** What is particular about its login. */
  readonly check?: (login: CompletedLogin, fapi: FapiProvider, url: URL) => unknown
}

const signedWith = (alg: string): Configuration => ({
  client: { ...secret, id_token_signed_response_alg: alg },
  check: ({ idToken }) =>
    expect(JSON.parse(Buffer.from(idToken.split('.')[0] ?? '', 'base64url').toString()).alg).toBe(alg),
})

let authority: Certificates
const pem = (file: string) => readFileSync(file, 'utf8')

const configurations: Readonly<Record<string, Configuration>> = {
  'RS256, a secret in the body': signedWith('RS256'),
  'PS256, a secret by Basic that is found out': {
    ...signedWith('PS256'),
    client: {
      ...secret,
      token_endpoint_auth_method: 'client_secret_basic',
      id_token_signed_response_alg: 'PS256',
    },
    options: () => ({ clientAuthentication: 'auto' }),
  },
  ES256: signedWith('ES256'),
  EdDSA: signedWith('EdDSA'),
  'a public client': {
    client: { token_endpoint_auth_method: 'none', id_token_signed_response_alg: 'RS256' },
    options: () => ({ clientSecret: undefined, clientAuthentication: 'none' }),
  },
  'pushed requests only': {
    client: { ...secret, id_token_signed_response_alg: 'RS256', require_pushed_authorization_requests: true },
    options: () => ({ pushedAuthorizationRequests: 'on' }),
    check: (_login, _fapi, url) =>
      expect([...url.searchParams.keys()].sort()).toEqual(['client_id', 'request_uri']),
  },
  'a key, a signed request and a signed response': {
    client: {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: keys,
      id_token_signed_response_alg: 'RS256',
      authorization_signed_response_alg: 'RS256',
      require_signed_request_object: true,
    },
    options: () => ({ clientSecret: undefined, clientKey, requestObject: 'signed', responseMode: 'jwt' }),
    check: (_login, _fapi, url) => expect(url.searchParams.has('request')).toBe(true),
  },
  'encrypted ID tokens': {
    client: {
      ...secret,
      jwks: keys,
      id_token_signed_response_alg: 'RS256',
      id_token_encrypted_response_alg: 'RSA-OAEP-256',
      id_token_encrypted_response_enc: 'A128CBC-HS256',
    },
    options: () => ({ clientEncryptionKey: opener }),
    check: ({ idToken }) => expect(idToken.split('.')).toHaveLength(3),
  },
  'tokens that are bound to a key, with nonces': {
    client: { ...secret, id_token_signed_response_alg: 'RS256', dpop_bound_access_tokens: true },
    features: { dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true } },
    options: () => ({ tokenBinding: 'dpop' }),
    check: ({ accessToken }) => expect(accessToken.boundTo).toMatch(/^[\w-]{43}$/),
  },
  'opaque access tokens, and claims in userinfo only': {
    client: { ...secret, id_token_signed_response_alg: 'RS256', userinfo_signed_response_alg: 'RS256' },
    features: { resourceIndicators: { enabled: false } },
    configuration: { conformIdTokenClaims: true },
    options: () => ({ accessTokenFormat: 'any', userinfo: true }),
    check: ({ accessToken, identity }) => {
      expect(accessToken.value).not.toContain('.')
      expect(identity.claims.name).toBe('Ada')
    },
  },
  'refresh tokens that are replaced at each use': {
    client: { ...secret, id_token_signed_response_alg: 'RS256' },
    configuration: { rotateRefreshToken: true },
  },
  'TLS with a private authority': {
    client: { ...secret, id_token_signed_response_alg: 'RS256' },
    tls: () => ({ cert: pem(authority.certificateFile), key: pem(authority.keyFile), ca: authority.ca }),
    options: () => ({ providerCa: authority.ca }),
    check: (_login, { issuer }) => expect(issuer).toMatch(/^https:/),
  },
  'an internal address': {
    client: { ...secret, id_token_signed_response_alg: 'RS256' },
    options: ({ issuer }) => ({ providerAddress: new URL(issuer.replace('127.0.0.1', 'localhost')) }),
  },
}

const audience = {
  key: 'api',
  value: undefined,
  parameter: 'none',
  accepted: [fapiAudience],
  scope: undefined,
} as const

const running: FapiProvider[] = []
const opened: Provider[] = []

beforeAll(async () => {
  authority = await makeCertificates()
})
afterAll(async () => {
  for (const provider of opened) await provider.close()
  for (const fapi of running) await fapi.stop()
  await authority.remove()
})

async function open({ client, features, configuration, tls, options }: Configuration) {
  const secured = tls?.()
  const fapi = await startFapiProvider({
    client,
    features: { ...plainFeatures, ...features },
    configuration: { ...plainConfiguration, ...configuration },
    ...(secured === undefined ? {} : { tls: secured }),
  })
  running.push(fapi)
  const method = { clientSecret, clientAuthentication: 'auto' as const }
  const provider = openFapi(fapi, { ...method, ...options?.(fapi) }, { nonces: createNonceMemory() })
  opened.push(provider)
  return { fapi, provider }
}

describe('a real provider with', () => {
  it.each(Object.entries(configurations))(
    '%s: sign in, refresh twice, sign out',
    async (_name, configuration) => {
      const { fapi, provider } = await open(configuration)
      const { login, url } = await signIn(fapi, provider)
      configuration.check?.(login, fapi, url)
      expect(login.identity).toMatchObject({ issuer: fapi.issuer, subject: 'ada' })
      const { identity, idToken, binding } = login
      let refreshToken = login.refreshToken ?? ''
      for (const _turn of ['first', 'second']) {
        const outcome = await provider.refresh({ refreshToken, identity, audience, idToken, binding })
        if (outcome.kind !== 'refreshed') throw new Error(JSON.stringify(outcome))
        expect(outcome.accessToken.value).not.toBe(login.accessToken.value)
        refreshToken = outcome.refreshToken ?? refreshToken
      }
      expect(await provider.revoke(refreshToken, 'logout')).toBe(true)
      const dead = await provider.refresh({ refreshToken, identity, audience, binding })
      expect(dead).toMatchObject({ kind: 'refused', error: 'invalid_grant' })
      const end = provider.endSessionUrl({ idToken, identity, state: 'state-of-the-logout' })
      expect(end?.origin).toBe(fapi.issuer)
      if (end?.protocol === 'http:') expect((await fetch(end)).status).toBe(200)
    },
  )
})
