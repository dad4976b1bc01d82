import { describe, expect, it } from 'vitest'
import { providerHints } from '../../../src/oidc/provider/hints.ts'

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

  it('tell a shared secret from an opaque token', () => {
    const { accessToken } = providerHints('https://tenant.eu.auth0.com/')
    expect(accessToken('symmetric', 'x')).toContain('Signing Algorithm')
    expect(accessToken('encrypted', 'x')).toContain('JSON Web Encryption')
    expect(accessToken('wrong_audience', 'x')).toContain('Identifier')
  })
})
