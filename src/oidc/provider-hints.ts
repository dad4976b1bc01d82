import type { AccessTokenFault } from './provider.ts'

/** Remedies in the provider's own words. */
export interface ProviderHints {
  readonly name: string
  /** What to change when an access token cannot be used. */
  accessToken(kind: AccessTokenFault['kind'], askedFor: string): string
  /** The switch that makes the provider issue refresh tokens. */
  readonly refreshToken: string
  /** What an authorization error of this provider means, when it is about the configuration. */
  authorizationError(error: string, untrustedDescription: string): string | undefined
}

interface ProviderProfile {
  readonly name: string
  readonly isIssuer: (issuer: URL) => boolean
  readonly audience: string
  readonly encrypted?: string
  readonly refreshToken: string
}

const hostEndsWith = (suffix: string) => (issuer: URL) =>
  issuer.hostname === suffix || issuer.hostname.endsWith(`.${suffix}`)

const profiles: readonly ProviderProfile[] = [
  {
    name: 'Auth0',
    isIssuer: hostEndsWith('auth0.com'),
    audience:
      'In the Auth0 dashboard, Applications → APIs, the Identifier of the API must equal API_AUDIENCE exactly, and AUDIENCE_PARAMETER must be "audience".',
    encrypted:
      'Auth0 answers so when no audience reaches it: AUDIENCE_PARAMETER must be "audience", API_AUDIENCE the Identifier of an API (Applications → APIs), and JSON Web Encryption of that API off.',
    refreshToken:
      'Turn on "Allow Offline Access" in the API\'s settings and the Refresh Token grant of the application.',
  },
  {
    name: 'Keycloak',
    isIssuer: (issuer) => /\/realms\/[^/]+$/.test(issuer.pathname),
    audience:
      'In Keycloak, add an Audience mapper ("Included Custom Audience" = API_AUDIENCE, "Add to access token" on) to a default client scope of this client.',
    refreshToken: 'Keep "Use refresh tokens" on in the client\'s advanced settings.',
  },
  {
    name: 'Microsoft Entra ID',
    isIssuer: (issuer) =>
      /^login\.(?:microsoftonline\.(?:com|us)|partner\.microsoftonline\.cn)$/.test(issuer.hostname),
    audience:
      'In Entra, ask for a scope of your API in SCOPE (api://…/scope), set its requestedAccessTokenVersion to 2, and set API_AUDIENCE to its client id.',
    refreshToken: 'Add offline_access to SCOPE and consent to it.',
  },
  {
    name: 'Okta',
    isIssuer: (issuer) => hostEndsWith('okta.com')(issuer) || hostEndsWith('oktapreview.com')(issuer),
    audience:
      'In Okta, use a custom authorization server as ISSUER_URL (…/oauth2/default) and set API_AUDIENCE to its Audience.',
    refreshToken: 'Allow the Refresh Token grant of the application and offline_access in the access policy.',
  },
  {
    name: 'Amazon Cognito',
    isIssuer: (issuer) => issuer.hostname.startsWith('cognito-idp.'),
    audience: 'Cognito access tokens have no audience: set ACCESS_TOKEN_FORMAT=jwt-without-aud.',
    refreshToken: 'Turn on the refresh token flow of the app client (ALLOW_REFRESH_TOKEN_AUTH).',
  },
  {
    name: 'Google',
    isIssuer: (issuer) => issuer.hostname === 'accounts.google.com',
    audience:
      "Google's access tokens are for Google's own APIs: set ACCESS_TOKEN_FORMAT=any, and do not verify them in your API.",
    refreshToken: 'Set AUTHORIZATION_PARAMETERS=access_type=offline&prompt=consent.',
  },
]

const generic: ProviderProfile = {
  name: 'the provider',
  isIssuer: () => true,
  audience:
    'Register the API at the provider, compare its identifier with API_AUDIENCE letter by letter, and see whether the provider wants it as "audience" or as "resource" (AUDIENCE_PARAMETER).',
  refreshToken: 'Allow refresh tokens (offline access) for this client and this API.',
}

/** The remedies for an issuer; general ones where it is not recognised. */
export function providerHints(issuerUrl: string): ProviderHints {
  const issuer = new URL(issuerUrl)
  const profile = profiles.find(({ isIssuer }) => isIssuer(issuer)) ?? generic
  return {
    name: profile.name,
    accessToken: (kind) =>
      kind === 'encrypted' ? (profile.encrypted ?? profile.audience) : profile.audience,
    refreshToken: profile.refreshToken,
    authorizationError(error, untrustedDescription) {
      // Auth0's answer to an audience that is not registered; its simulators answer likewise.
      const isUnknownAudience =
        error === 'access_denied' && /^Service not (?:found|enabled)/.test(untrustedDescription)
      return isUnknownAudience || error === 'invalid_target'
        ? `The provider does not know the API audience. ${profile.audience}`
        : undefined
    },
  }
}
