import type { UntrustedMetadata } from '../endpoints.ts'
import { hostEndsWith, type ProviderProfile } from './provider-profile.ts'

/** Whether the metadata name an endpoint with that end. */
function endsWith(metadata: UntrustedMetadata | undefined, name: string, end: string): boolean {
  const value = metadata?.[name]
  return typeof value === 'string' && value.endsWith(end)
}

/** Providers that one runs oneself, most of them: recognised by paths, or by what their metadata have. */
export const selfHostedProfiles: readonly ProviderProfile[] = [
  {
    name: 'Keycloak',
    isIssuer: (issuer) => /\/realms\/[^/]+$/.test(issuer.pathname),
    issuer:
      'At Keycloak it is https://HOST/realms/REALM without a slash at its end (up to version 16: https://HOST/auth/realms/REALM).',
    client:
      'In Keycloak, the client needs "Client authentication" on; its secret is on the Credentials tab (Clients → the client).',
    key: 'In Keycloak, the client needs "Signed JWT" on the Credentials tab, and on the Keys tab "Use JWKS URL" with BASE_URL/client-keys, which Keycloak must reach, or the key imported (Clients → the client).',
    redirectUri: 'In Keycloak, add it to "Valid redirect URIs" (Clients → the client → Settings).',
    audience:
      'In Keycloak, add an Audience mapper ("Included Custom Audience" = API_AUDIENCE, "Add to access token" on) to a default client scope of this client; with "Always use lightweight access token" on, "Add to lightweight access token" as well.',
    lateKeys:
      'Keycloak makes a key of such an algorithm when it first signs with it. Sign in once, or add one under Realm settings → Keys → Add providers; set the algorithm on the Advanced tab of the client.',
    signing:
      'In Keycloak, set "Access token signature algorithm" to RS256 (Clients → the client → Advanced, or the realm\'s Tokens tab).',
    refreshToken: 'Keep "Use refresh tokens" on in the client\'s advanced settings.',
    endSession: 'Keycloak announces one: compare ISSUER_URL with the realm.',
    offlineAccess: {
      summary:
        'SCOPE holds offline_access, which makes an offline session at Keycloak: no logout token comes for it, and it survives a sign-out there and the deletion of sessions by an administrator.',
      fix: 'Take offline_access out of SCOPE (SCOPE=openid profile email): Keycloak gives a refresh token without it.',
    },
    logoutUri: 'In Keycloak, add it to "Valid post logout redirect URIs" (Clients → the client → Settings).',
    backchannel:
      'Set it as "Backchannel logout URL" with "Backchannel logout session required" on (Clients → the client → Settings).',
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
    logoutUri: 'In Zitadel, add it to "Post Logout URIs" of the application.',
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
    logoutUri:
      'In authentik, add it to "Redirect URIs/Origins" of the provider, as a logout URI where its version tells them apart.',
    backchannel: 'Set it as "Logout URI" of the provider, with the method Back-channel.',
  },
  {
    name: 'Ory Hydra',
    isIssuer: (_issuer, metadata) => endsWith(metadata, 'end_session_endpoint', '/oauth2/sessions/logout'),
    issuer: 'At Hydra it is urls.self.issuer of its configuration, to the letter.',
    client:
      'At Hydra, hydra get oauth2-client shows the client; its token_endpoint_auth_method is client_secret_basic unless set otherwise.',
    key: 'At Hydra, the client needs token_endpoint_auth_method private_key_jwt, token_endpoint_auth_signing_alg the algorithm of the key, and jwks_uri BASE_URL/client-keys, which Hydra must reach, or the set from there as jwks.',
    wantsTokenEndpoint: true,
    redirectUri:
      "At Hydra, add it to the client's redirect_uris (hydra update oauth2-client --redirect-uri).",
    audience:
      "At Hydra, access tokens are opaque unless strategies.access_token is jwt in its configuration (or access_token_strategy of the client); API_AUDIENCE must stand in the client's audience list, and the consent app must grant it (grant_access_token_audience).",
    signing: 'Hydra signs with RS256: see whether ISSUER_URL is the right server.',
    refreshToken:
      'At Hydra, allow the grant type refresh_token and the scope offline_access for the client, and let the consent app grant that scope.',
    endSession: 'Hydra announces one: compare ISSUER_URL with urls.self.issuer.',
    logoutUri: "At Hydra, add it to the client's post_logout_redirect_uris.",
    backchannel: "At Hydra, set it as the client's backchannel_logout_uri.",
  },
  {
    name: 'dex',
    isIssuer: (issuer, metadata) =>
      !issuer.hostname.endsWith('.auth0.com') &&
      endsWith(metadata, 'device_authorization_endpoint', '/device/code') &&
      endsWith(metadata, 'jwks_uri', '/keys') &&
      endsWith(metadata, 'authorization_endpoint', '/auth'),
    issuer: 'At dex it is issuer of its configuration, path included, to the letter.',
    client: 'At dex, staticClients of its configuration have id and secret; the client must not be public.',
    redirectUri: "At dex, add it to the client's redirectURIs.",
    audience:
      'At dex a token is for a client: register the API as a client with this one among its trustedPeers, add audience:server:client_id:API_AUDIENCE to SCOPE, and set AUDIENCE_PARAMETER=none; without such a scope API_AUDIENCE is CLIENT_ID.',
    signing: 'dex signs with RS256: see whether ISSUER_URL is the right server.',
    refreshToken:
      'At dex, add offline_access to SCOPE; the connector must support refreshing. It keeps one refresh token for a user and client: the next login replaces it.',
    endSession: 'dex has none: signing out here leaves the session at the connector alone.',
    logoutUri: 'dex has no place for it.',
    backchannel: 'dex has none; sessions end by their own timeouts.',
  },
]
