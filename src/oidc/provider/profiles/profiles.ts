import { isAuth0 } from '../endpoints.ts'
import { hostEndsWith, type ProviderProfile } from './provider-profile.ts'
import { selfHostedProfiles } from './self-hosted-profiles.ts'

const asymmetric = 'Let it sign access tokens with RS256, PS256 or ES256.'

/** The providers that are recognised by their issuer. */
export const profiles: readonly ProviderProfile[] = [
  {
    name: 'Auth0',
    isIssuer: (issuer, metadata) => isAuth0(issuer.href, metadata),
    issuer:
      'At Auth0 it is https://YOUR_TENANT.REGION.auth0.com/, or the custom domain, with the slash at its end.',
    client:
      'In the Auth0 dashboard, Applications → your application → Settings has Client ID and Client Secret; its type must be Regular Web Application.',
    key: 'In the Auth0 dashboard, Applications → your application → Credentials must have Private Key JWT with the public half of CLIENT_KEY.',
    redirectUri:
      'In the Auth0 dashboard, add it to Allowed Callback URLs (Applications → your application → Settings).',
    audience:
      'In the Auth0 dashboard, Applications → APIs, the Identifier of the API must equal API_AUDIENCE exactly, and AUDIENCE_PARAMETER must be "audience".',
    encrypted:
      'Auth0 answers so when no audience reaches it: AUDIENCE_PARAMETER must be "audience", API_AUDIENCE the Identifier of an API (Applications → APIs), and JSON Web Encryption of that API off.',
    signing:
      'In the Auth0 dashboard, set the Signing Algorithm of the API to RS256 (Applications → APIs → the API → Settings).',
    refreshToken:
      'Turn on "Allow Offline Access" in the API\'s settings and the Refresh Token grant of the application.',
    // An online token is the user's session there: to revoke it signs the user out of everything.
    revokes: (reason, scope) => reason === 'logout' || !scope.split(' ').includes('online_access'),
    endSession:
      'Turn on "RP-Initiated Logout End Session Endpoint Discovery" in the tenant\'s advanced settings; until then /v2/logout is used, at a custom domain as well.',
    logoutUri:
      'In the Auth0 dashboard, add it to Allowed Logout URLs (Applications → your application → Settings); without it a logout ends on an error page.',
    backchannel:
      'Register it as Back-Channel Logout URI of the application (OpenID Connect Back-Channel Logout).',
  },
  {
    name: 'Microsoft Entra ID',
    isIssuer: (issuer) =>
      /^login\.(?:microsoftonline\.(?:com|us)|partner\.microsoftonline\.cn)$/.test(issuer.hostname),
    issuer:
      'At Entra it is https://login.microsoftonline.com/TENANT_ID/v2.0 with the id of your tenant; common and organizations are no issuers.',
    client:
      'In Entra, App registrations → the app has the Application (client) ID; under Certificates & secrets take the Value of a client secret that has not expired, not its Secret ID.',
    key: 'In Entra, App registrations → the app → Certificates & secrets → Certificates must have the certificate that stands behind the key in CLIENT_KEY.',
    redirectUri:
      'In Entra, add it under Authentication → Web → Redirect URIs of the app registration (the platform Web, not Single-page application).',
    audience:
      'In Entra, ask for a scope of your API in SCOPE (api://…/scope), set its requestedAccessTokenVersion to 2, and set API_AUDIENCE to its client id.',
    signing:
      'Entra signs the tokens of your own APIs with RS256: see whether the token is for your API at all.',
    refreshToken: 'Add offline_access to SCOPE and consent to it.',
    endSession: 'Entra announces one: compare ISSUER_URL with the tenant.',
    logoutUri: 'In Entra, it is one more of the Redirect URIs of the platform Web.',
    backchannel:
      'Entra has no back-channel logout: register BASE_URL/frontchannel-logout as Front-channel logout URL.',
  },
  {
    name: 'Okta',
    isIssuer: (issuer) => hostEndsWith('okta.com')(issuer) || hostEndsWith('oktapreview.com')(issuer),
    issuer:
      'At Okta it is the Issuer URI of a custom authorization server, https://YOUR_ORG.okta.com/oauth2/default, without a slash at its end.',
    client:
      'In Okta, Applications → the app → General → Client Credentials has both; the app must be a Web Application.',
    key: 'In Okta, Applications → the app → General → Client Credentials must be "Public key / Private key", with the public half of CLIENT_KEY or the address BASE_URL/client-keys.',
    redirectUri: 'In Okta, add it to "Sign-in redirect URIs" (Applications → the app → General).',
    audience:
      'In Okta, use a custom authorization server as ISSUER_URL (…/oauth2/default) and set API_AUDIENCE to its Audience.',
    signing: 'Okta signs with RS256: see whether ISSUER_URL is a custom authorization server.',
    refreshToken: 'Allow the Refresh Token grant of the application and offline_access in the access policy.',
    endSession: 'Okta announces one: see whether ISSUER_URL is the Issuer URI of the authorization server.',
    logoutUri: 'In Okta, add it to "Sign-out redirect URIs" (Applications → the app → General).',
    backchannel: 'Okta calls its feature Universal Logout; without it sessions end by their own timeouts.',
  },
  {
    name: 'Amazon Cognito',
    isIssuer: (issuer) => issuer.hostname.startsWith('cognito-idp.'),
    issuer: 'At Cognito it is https://cognito-idp.REGION.amazonaws.com/POOL_ID without a slash at its end.',
    client: 'In Cognito, App clients → the client has both; the app client must be one with a client secret.',
    redirectUri: 'In Cognito, add it to "Allowed callback URLs" (App clients → the client → Login pages).',
    audience: 'Cognito access tokens have no audience: set ACCESS_TOKEN_FORMAT=jwt-without-aud.',
    signing: 'Cognito signs with RS256: see whether ISSUER_URL is the user pool.',
    refreshToken: 'Turn on the refresh token flow of the app client (ALLOW_REFRESH_TOKEN_AUTH).',
    endSession:
      'Set END_SESSION_URL=https://YOUR_DOMAIN.auth.REGION.amazoncognito.com/logout?logout_uri=URL, where URL is BASE_URL/logout/callback, percent-encoded and among "Allowed sign-out URLs".',
    logoutUri: 'In Cognito, add it to "Allowed sign-out URLs" (App clients → the client → Login pages).',
    backchannel: 'Cognito has none; sessions end by their own timeouts.',
  },
  {
    name: 'Google',
    isIssuer: (issuer) => issuer.hostname === 'accounts.google.com',
    issuer: 'At Google it is https://accounts.google.com without a slash at its end.',
    client:
      'In the Google Cloud console, APIs & Services → Credentials → the OAuth 2.0 client of the type Web application has both.',
    redirectUri:
      'In the Google Cloud console, add it to "Authorized redirect URIs" (APIs & Services → Credentials → the OAuth 2.0 client).',
    audience:
      "Google's access tokens are for Google's own APIs: set ACCESS_TOKEN_FORMAT=any, and do not verify them in your API.",
    signing:
      "Google's access tokens are for Google's own APIs and cannot be verified: ACCESS_TOKEN_FORMAT=any.",
    refreshToken: 'Set AUTHORIZATION_PARAMETERS=access_type=offline&prompt=consent.',
    endSession: 'Google has none: signing out here leaves the session at Google alone.',
    logoutUri: 'Google has no place for it.',
    backchannel: 'Google has none; sessions end by their own timeouts.',
  },
  ...selfHostedProfiles,
]

/** For every other provider. */
export const genericProfile: ProviderProfile = {
  name: 'the provider',
  isIssuer: () => true,
  issuer: 'It is what the discovery document calls "issuer", to the letter.',
  client:
    'Compare CLIENT_ID and CLIENT_SECRET with the registration of the client, a confidential web application, and CLIENT_AUTHENTICATION with the way in which it may prove itself.',
  redirectUri: 'Register it at the provider as redirect URI (callback URL) of the client, to the letter.',
  audience:
    'Register the API at the provider, compare its identifier with API_AUDIENCE letter by letter, and see whether the provider wants it as "audience" or as "resource" (AUDIENCE_PARAMETER).',
  signing: asymmetric,
  refreshToken:
    'Allow refresh tokens (offline access) for this client and this API; some providers give one only with AUTHORIZATION_PARAMETERS=prompt=consent.',
  endSession: 'If it has a logout page nevertheless, set END_SESSION_URL.',
  logoutUri: 'Register it as post-logout redirect URI of the client.',
  backchannel: 'If it can send logout tokens nevertheless, register it there.',
}
