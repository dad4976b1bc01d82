import { describe, expect, it } from 'vitest'
import { providerHints } from '../../../../src/oidc/provider/profiles/hints.ts'

const recognised = [
  ['https://tenant.eu.auth0.com/', 'Auth0', 'Allowed Callback URLs', 'Allow Offline Access'],
  ['https://sso.example.com/realms/shop', 'Keycloak', 'Valid redirect URIs', 'Use refresh tokens'],
  [
    'https://login.microsoftonline.com/1f0c/v2.0',
    'Microsoft Entra ID',
    'Web → Redirect URIs',
    'offline_access',
  ],
  ['https://org.okta.com/oauth2/default', 'Okta', 'Sign-in redirect URIs', 'Refresh Token grant'],
  [
    'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x',
    'Amazon Cognito',
    'Allowed callback URLs',
    'ALLOW_REFRESH_TOKEN_AUTH',
  ],
  ['https://accounts.google.com', 'Google', 'Authorized redirect URIs', 'access_type=offline'],
  ['https://shop-x1y2z3.zitadel.cloud', 'Zitadel', 'Redirect URIs', 'Refresh Token'],
  ['https://sso.example.com/application/o/shop/', 'authentik', 'Redirect URIs/Origins', 'offline_access'],
] as const

describe('the hints of a provider', () => {
  it.each(recognised)('%s is %s, in its own words', (issuer, name, redirectUri, refreshToken) => {
    const hints = providerHints(issuer)
    expect(hints).toMatchObject({ name, isRecognised: true })
    expect(hints.redirectUri).toContain(redirectUri)
    expect(hints.refreshToken).toContain(refreshToken)
  })

  it.each(['https://auth0.com.evil.example/', 'https://notauth0.com/', 'https://login.example.com/'])(
    '%s is nobody in particular',
    (issuer) => {
      expect(providerHints(issuer)).toMatchObject({ name: 'the provider', isRecognised: false })
    },
  )

  it.each([
    [
      'Ory Hydra',
      { end_session_endpoint: 'https://id.example.com/oauth2/sessions/logout' },
      'strategies.access_token is jwt',
    ],
    [
      'dex',
      {
        authorization_endpoint: 'https://id.example.com/dex/auth',
        device_authorization_endpoint: 'https://id.example.com/dex/device/code',
        jwks_uri: 'https://id.example.com/dex/keys',
      },
      'audience:server:client_id:API_AUDIENCE',
    ],
  ])('%s is known by its metadata, and by nothing less', (name, metadata, words) => {
    const hints = providerHints('https://id.example.com/dex', metadata)
    expect(hints).toMatchObject({ name, isRecognised: true })
    expect(hints.accessToken('opaque', 'x')).toContain(words)
    const [first] = Object.keys(metadata)
    const less = Object.fromEntries(Object.entries(metadata).filter(([member]) => member !== first))
    expect(providerHints('https://id.example.com/dex', less).isRecognised).toBe(false)
  })

  it("warn of Keycloak's offline sessions, and of nobody else's", () => {
    expect(providerHints('https://sso.example.com/realms/shop').offlineAccess?.fix).toContain('SCOPE=')
    expect(providerHints('https://tenant.eu.auth0.com/').offlineAccess).toBeUndefined()
  })

  it('send nobody to offline_access where it does harm', () => {
    const keycloak = providerHints('https://sso.example.com/realms/shop')
    expect(keycloak.noRefreshToken('openid')).not.toContain('offline_access')
    expect(keycloak.noRefreshToken('openid')).toContain('Use refresh tokens')
    const auth0 = providerHints('https://tenant.eu.auth0.com/')
    expect(auth0.noRefreshToken('openid')).toContain('Add offline_access to SCOPE')
    expect(auth0.noRefreshToken('openid offline_access')).not.toContain('Add offline_access to SCOPE')
  })

  it.each([
    ['https://sso.example.com/realms/shop', 'Use JWKS URL'],
    ['https://tenant.eu.auth0.com/', 'Private Key JWT'],
    ['https://login.microsoftonline.com/1f0c/v2.0', 'certificate'],
    ['https://org.okta.com/oauth2/default', 'Public key / Private key'],
    ['https://login.example.com/', 'BASE_URL/client-keys'],
  ])(
    'say of %s where a key is registered, and to a client with a key nothing of secrets',
    (issuer, words) => {
      const { registration, client } = providerHints(issuer)
      const clientKey = {} as NonNullable<Parameters<typeof registration>[0]['clientKey']>
      for (const clientAuthentication of ['auto', 'private_key_jwt'] as const) {
        expect(registration({ clientAuthentication, clientKey })).toContain(words)
        expect(registration({ clientAuthentication, clientKey })).not.toMatch(/client secret|its secret/i)
      }
      expect(registration({ clientAuthentication: 'auto', clientKey: undefined })).toBe(client)
      expect(registration({ clientAuthentication: 'client_secret_basic', clientKey })).toBe(client)
    },
  )

  it('tell a shared secret from an opaque token', () => {
    const { accessToken } = providerHints('https://tenant.eu.auth0.com/')
    expect(accessToken('symmetric', 'x')).toContain('Signing Algorithm')
    expect(accessToken('encrypted', 'x')).toContain('JSON Web Encryption')
    expect(accessToken('wrong_audience', 'x')).toContain('Identifier')
  })
})
