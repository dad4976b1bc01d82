import { isAuth0, type UntrustedMetadata } from './endpoints.ts'
import type { RevocationReason } from './provider.ts'

/** What an operator has to know about one kind of provider, in that provider's own words. Each text is one or two sentences. */
export interface ProviderProfile {
  readonly name: string
  readonly isIssuer: (issuer: URL, metadata: UntrustedMetadata | undefined) => boolean
  /** How `ISSUER_URL` is written. */
  readonly issuer: string
  /** Where client id and secret are found, and which kind of client it is. */
  readonly client: string
  /** Where a redirect URI is registered. */
  readonly redirectUri: string
  /** What makes the access token one for the API. */
  readonly audience: string
  /** The same when the token came encrypted, if that says more. */
  readonly encrypted?: string
  /** What makes the access token verifiable by the provider's public keys. */
  readonly signing: string
  /** The switch that makes the provider issue refresh tokens. */
  readonly refreshToken: string
  /** Whether a refresh token is to be revoked for this reason; `undefined`: always. */
  readonly revokes?: (reason: RevocationReason, scope: string) => boolean
  /** What can be done when discovery announces no end-session endpoint. */
  readonly endSession: string
  /** Where a back-channel logout URL is registered, or what there is instead. */
  readonly backchannel: string
}

const hostEndsWith = (suffix: string) => (issuer: URL) =>
  issuer.hostname === suffix || issuer.hostname.endsWith(`.${suffix}`)

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
    backchannel:
      'Register it as Back-Channel Logout URI of the application (OpenID Connect Back-Channel Logout).',
  },
  {
    name: 'Keycloak',
    isIssuer: (issuer) => /\/realms\/[^/]+$/.test(issuer.pathname),
    issuer:
      'At Keycloak it is https://HOST/realms/REALM without a slash at its end (up to version 16: https://HOST/auth/realms/REALM).',
    client:
      'In Keycloak, the client needs "Client authentication" on; its secret is on the Credentials tab (Clients → the client).',
    redirectUri: 'In Keycloak, add it to "Valid redirect URIs" (Clients → the client → Settings).',
    audience:
      'In Keycloak, add an Audience mapper ("Included Custom Audience" = API_AUDIENCE, "Add to access token" on) to a default client scope of this client.',
    signing:
      'In Keycloak, set "Access token signature algorithm" to RS256 (Clients → the client → Advanced, or the realm\'s Tokens tab).',
    refreshToken: 'Keep "Use refresh tokens" on in the client\'s advanced settings.',
    endSession: 'Keycloak announces one: compare ISSUER_URL with the realm.',
    backchannel:
      'Set it as "Backchannel logout URL" with "Backchannel logout session required" on (Clients → the client → Settings).',
  },
  {
    name: 'Microsoft Entra ID',
    isIssuer: (issuer) =>
      /^login\.(?:microsoftonline\.(?:com|us)|partner\.microsoftonline\.cn)$/.test(issuer.hostname),
    issuer:
      'At Entra it is https://login.microsoftonline.com/TENANT_ID/v2.0 with the id of your tenant; common and organizations are no issuers.',
    client:
      'In Entra, App registrations → the app has the Application (client) ID; under Certificates & secrets take the Value of a client secret that has not expired, not its Secret ID.',
    redirectUri:
      'In Entra, add it under Authentication → Web → Redirect URIs of the app registration (the platform Web, not Single-page application).',
    audience:
      'In Entra, ask for a scope of your API in SCOPE (api://…/scope), set its requestedAccessTokenVersion to 2, and set API_AUDIENCE to its client id.',
    signing:
      'Entra signs the tokens of your own APIs with RS256: see whether the token is for your API at all.',
    refreshToken: 'Add offline_access to SCOPE and consent to it.',
    endSession: 'Entra announces one: compare ISSUER_URL with the tenant.',
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
    redirectUri: 'In Okta, add it to "Sign-in redirect URIs" (Applications → the app → General).',
    audience:
      'In Okta, use a custom authorization server as ISSUER_URL (…/oauth2/default) and set API_AUDIENCE to its Audience.',
    signing: 'Okta signs with RS256: see whether ISSUER_URL is a custom authorization server.',
    refreshToken: 'Allow the Refresh Token grant of the application and offline_access in the access policy.',
    endSession: 'Okta announces one: see whether ISSUER_URL is the Issuer URI of the authorization server.',
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
    backchannel: 'Google has none; sessions end by their own timeouts.',
  },
  {
    name: 'Zitadel',
    isIssuer: hostEndsWith('zitadel.cloud'),
    issuer: 'At Zitadel it is https://YOUR_INSTANCE.zitadel.cloud without a slash at its end.',
    client:
      'In Zitadel, the application must be of the type Web with the authentication method POST or Basic; its page shows both.',
    redirectUri: 'In Zitadel, add it to "Redirect URIs" of the application.',
    audience:
      'In Zitadel, set "Auth Token Type" of the application to JWT and API_AUDIENCE to the id of its project, or of another one that SCOPE names by urn:zitadel:iam:org:project:id:PROJECT_ID:aud.',
    signing: 'Zitadel signs JWTs with RS256: see whether "Auth Token Type" of the application is JWT.',
    refreshToken: 'Turn on "Refresh Token" among the grant types of the application.',
    endSession: 'Zitadel announces one: compare ISSUER_URL with the instance.',
    backchannel: 'Set it as "Back-Channel Logout URI" of the application.',
  },
  {
    name: 'authentik',
    isIssuer: (issuer) => /\/application\/o\/[^/]+\/?$/.test(issuer.pathname),
    issuer: 'At authentik it is https://HOST/application/o/SLUG/ with the slash at its end.',
    client:
      'In authentik, the provider (Applications → Providers) must be confidential; its page shows both.',
    redirectUri: 'In authentik, add it to "Redirect URIs/Origins" of the provider, matched strictly.',
    audience: 'In authentik, the audience of an access token is the client id: set API_AUDIENCE to it.',
    signing:
      'In authentik, choose a "Signing Key" of the provider: without one all tokens are signed with the client secret.',
    refreshToken: 'In authentik, add the scope mapping offline_access to the provider.',
    endSession: 'authentik announces one: compare ISSUER_URL with the provider.',
    backchannel: 'Set it as "Logout URI" of the provider, with the method Back-channel.',
  },
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
  backchannel: 'If it can send logout tokens nevertheless, register it there.',
}
