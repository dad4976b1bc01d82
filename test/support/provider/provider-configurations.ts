import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import type { ProviderOptions } from '../../../src/oidc/provider/options.ts'
import type { CompletedLogin } from '../../../src/oidc/provider/provider.ts'
import { publishedKeys, readPrivateKeys } from '../../../src/signing/signing-keys.ts'
import type { Certificates } from '../fronts/certificates.ts'
import {
  type FapiProvider,
  type FapiProviderOptions,
  peerCertificate,
  startFapiProvider,
} from './fapi-provider.ts'

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
/** The secret of every client that has one. */
export const clientSecret = 'the-secret-of-many-configurations-0123456789'
const secret = {
  // What makes the provider name its session.
  backchannel_logout_uri: 'http://127.0.0.1:9/backchannel-logout',
  backchannel_logout_session_required: true,
  client_secret: clientSecret,
  token_endpoint_auth_method: 'client_secret_post',
}

const allAlgorithms = ['RS256', 'PS256', 'ES256', 'EdDSA']

/** A key of the provider's. */
const newSigningKey = (alg: string) => {
  const pair =
    alg === 'EdDSA'
      ? generateKeyPairSync('ed25519')
      : alg === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('rsa', { modulusLength: 2_048 })
  return {
    ...pair.privateKey.export({ format: 'jwk' }),
    alg,
    use: 'sig',
    kid: `${alg}-${randomBytes(4).toString('hex')}`,
  }
}

/** An ordinary provider: nothing of the FAPI profile is demanded. */
const plainFeatures = {
  fapi: { enabled: false },
  backchannelLogout: { enabled: true },
  pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: false },
}
const plainConfiguration = {
  clientAuthMethods: ['client_secret_post', 'client_secret_basic', 'private_key_jwt', 'none'],
  jwks: { keys: allAlgorithms.map(newSigningKey) },
  enabledJWA: {
    idTokenSigningAlgValues: allAlgorithms,
    idTokenEncryptionAlgValues: ['RSA-OAEP-256'],
    userinfoSigningAlgValues: ['RS256'],
    authorizationSigningAlgValues: ['RS256'],
    requestObjectSigningAlgValues: ['ES256'],
    clientAuthSigningAlgValues: ['ES256'],
  },
}

/** What the gateway may be told of a provider. */
type ToldOptions = Partial<Omit<ProviderOptions, 'routes' | 'audience'>>

/** How one provider is configured, and what the gateway is told of it. */
export interface Configuration {
  readonly client: object
  readonly features?: object
  readonly configuration?: object
  readonly tls?: (authority: Certificates) => FapiProviderOptions['tls']
  readonly hostname?: string
  readonly options?: (fapi: FapiProvider, around: Around) => ToldOptions
  /** What is particular about its login. */
  readonly check?: (login: CompletedLogin, fapi: FapiProvider, url: URL) => unknown
  /** What happens at the provider between the login and the first refresh. */
  readonly meanwhile?: (fapi: FapiProvider) => void
  /** What doctor has to object to. */
  readonly troubles?: readonly string[]
  /** What doctor objects to when the secret is wrong. */
  readonly findsWrongSecret?: readonly string[]
}

/** What stands around providers. */
export interface Around {
  readonly authority: Certificates
  /** A proxy that makes tunnels. */
  readonly proxyUrl: string
}

const signedWith = (alg: string): Configuration => ({
  client: { ...secret, id_token_signed_response_alg: alg },
  check: ({ idToken }) =>
    expect(JSON.parse(Buffer.from(idToken.split('.')[0] ?? '', 'base64url').toString()).alg).toBe(alg),
})

const pem = (file: string) => readFileSync(file, 'utf8')

/** TLS with a certificate of a private authority. */
const servesTls: Pick<Configuration, 'tls' | 'options'> = {
  tls: (authority) => ({
    cert: pem(authority.certificateFile),
    key: pem(authority.keyFile),
    ca: authority.ca,
  }),
  options: (_fapi, { authority }) => ({ providerCa: authority.ca }),
}
const rs256 = { ...secret, id_token_signed_response_alg: 'RS256' }

/** By name; each has been a real deployment's. */
export const configurations: Readonly<Record<string, Configuration>> = {
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
    troubles: ['warn id-token.session'],
    options: () => ({ clientSecret: undefined, clientAuthentication: 'none' }),
  },
  'pushed requests only': {
    client: { ...secret, id_token_signed_response_alg: 'RS256', require_pushed_authorization_requests: true },
    options: () => ({ pushedAuthorizationRequests: 'on' }),
    findsWrongSecret: ['fail discovery.par', 'fail client-secret'],
    check: (_login, _fapi, url) =>
      expect([...url.searchParams.keys()].sort()).toEqual(['client_id', 'request_uri']),
  },
  'a key, a signed request and a signed response': {
    troubles: ['warn id-token.session'],
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
  'answers that are posted': { client: rs256, options: () => ({ responseMode: 'form_post' }) },
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
    client: rs256,
    ...servesTls,
    check: (_login, { issuer }) => expect(issuer).toMatch(/^https:/),
  },
  'an internal address': {
    client: rs256,
    options: ({ issuer }) => ({ providerAddress: new URL(issuer.replace('127.0.0.1', 'localhost')) }),
  },
  'a private authority behind a company proxy': {
    client: rs256,
    ...servesTls,
    hostname: 'login.test',
    options: (_fapi, { authority, proxyUrl }) => ({ providerCa: authority.ca, httpsProxy: proxyUrl }),
    check: (_login, { issuer }) => expect(issuer).toMatch(/^https:\/\/login\.test:/),
  },
  'a key set that changes between login and refresh': {
    client: rs256,
    meanwhile: (fapi) => fapi.reconfigure({ jwks: { keys: allAlgorithms.map(newSigningKey) } }),
  },
  'endpoints that move between login and refresh': {
    client: rs256,
    meanwhile: (fapi) => fapi.reconfigure({ routes: { token: '/moved/token', jwks: '/moved/keys' } }),
  },
  'a certificate to which tokens are bound, at addresses of its own': {
    client: {
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_subject_dn: 'CN=redis',
      tls_client_certificate_bound_access_tokens: true,
      id_token_signed_response_alg: 'RS256',
    },
    ...servesTls,
    configuration: { clientAuthMethods: ['tls_client_auth'] },
    features: {
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        tlsClientAuth: true,
        getCertificate: peerCertificate,
        certificateAuthorized: () => true,
        certificateSubjectMatches: () => true,
      },
    },
    options: (fapi, { authority }) => {
      // The same machine under another name.
      const elsewhere = fapi.issuer.replace('localhost', '127.0.0.1')
      fapi.reconfigure({
        discovery: { mtls_endpoint_aliases: { token_endpoint: `${elsewhere}/token` } },
      })
      return {
        clientSecret: undefined,
        clientCertificate: pem(authority.certificateFile),
        clientCertificateKey: pem(authority.keyFile),
        providerCa: authority.ca,
        tokenBinding: 'mtls',
      }
    },
    check: ({ binding }) => expect(binding?.kind).toBe('mtls'),
    troubles: ['warn id-token.session'],
  },
  'slow answers, within the time that they may take': {
    client: rs256,
    options: (fapi) => {
      fapi.slow = { path: '/token', delayMs: 300 }
      return { providerTimeout: 3 }
    },
  },
}

/** Starts oidc-provider in this way. */
export function startConfigured(
  { client, features, configuration, tls, hostname }: Configuration,
  { authority }: Around,
  baseUrl?: string,
): Promise<FapiProvider> {
  const secured = tls?.(authority)
  return startFapiProvider({
    client,
    features: { ...plainFeatures, ...features },
    configuration: { ...plainConfiguration, ...configuration },
    ...(secured === undefined ? {} : { tls: secured }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(baseUrl === undefined ? {} : { baseUrl }),
  })
}

/** What the gateway is told of it. */
export function optionsOf({ options }: Configuration, fapi: FapiProvider, around: Around): ToldOptions {
  return { clientSecret, clientAuthentication: 'auto', ...options?.(fapi, around) }
}
