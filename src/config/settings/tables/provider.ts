import { internalOrigin, providerPageUrl } from '../kinds/address.ts'
import { signatureAlgorithm } from '../kinds/algorithm.ts'
import {
  authorizationParameters,
  claimsParameter,
  loginParameter,
  queryParameters,
} from '../kinds/parameters.ts'
import { certificatePem } from '../kinds/secret.ts'
import { claimName, listOf, listOrNone, oneOf, onOff, openidScope, seconds } from '../kinds/values.ts'
import { optional, withDefault } from '../setting.ts'

/** A refresh holds up shutdown and other requests of its session for as long as this. */
const longestProviderTimeoutSeconds = 20

/** How the provider is spoken to. */
export const providerSettings = {
  title: 'The provider',
  rows: {
    SCOPE: withDefault(openidScope, 'openid profile email offline_access', {
      doc: 'The scope that is asked for at login. Without `offline_access` (or the like) sessions end with their first access token.',
      example: 'openid profile email offline_access read:orders',
      mistakenFor: ['SCOPES', 'OIDC_SCOPE'],
    }),
    AUDIENCE_PARAMETER: withDefault(oneOf('audience', 'resource', 'both', 'none'), 'audience', {
      doc: 'How the API is named in requests to the provider: Auth0 takes `audience`, RFC 8707 `resource`; `none` where the scope (Entra) or the client (Keycloak, Okta) decides.',
      example: 'resource',
    }),
    ACCESS_TOKEN_FORMAT: withDefault(oneOf('jwt', 'jwt-without-aud', 'any'), 'jwt', {
      doc: 'What an access token must be: a JWT for `API_AUDIENCE`; a JWT whose `client_id` or `azp` is ours (Cognito); or anything.',
      example: 'jwt-without-aud',
    }),
    LOGIN_PARAMETERS: withDefault(
      listOrNone(loginParameter),
      'acr_values,max_age,login_hint,ui_locales,screen_hint',
      {
        doc: 'Query parameters of `/login` that are passed on to the provider; `none` for none. Protocol parameters are refused.',
        example: 'login_hint,ui_locales,prompt,connection,organization,invitation',
      },
    ),
    AUTHORIZATION_PARAMETERS: withDefault(authorizationParameters, '', {
      doc: 'Fixed parameters added to every authorization request, written like a query string. `acr_values` and `max_age` are verified when the login comes back; a link can only ask for a smaller `max_age`.',
      example: 'access_type=offline&prompt=consent',
    }),
    TOKEN_PARAMETERS: withDefault(queryParameters, '', {
      doc: 'Fixed parameters added to every token request, written like a query string.',
      example: 'tenant=example',
    }),
    END_SESSION_URL: optional(providerPageUrl, {
      doc: "The provider's page that ends its own session, where its discovery document names none or a wrong one.",
      example: 'https://login.example.com/logout',
    }),
    CLAIMS: optional(claimsParameter, {
      doc: 'The `claims` request parameter (OpenID Connect Core 5.5), JSON: asks for single claims in the ID token or at the userinfo endpoint. An `acr` that it asks of the ID token is verified.',
      example: '{"id_token":{"acr":{"essential":true,"values":["urn:mfa"]}}}',
    }),
    USERINFO: withDefault(onOff, 'off', {
      doc: 'Whether the userinfo endpoint is asked at login, and after each refresh that brought an ID token, for providers that leave claims out of the ID token. At login a failure fails the login; later the claims of before stand.',
      example: 'on',
    }),
    USER_CLAIMS: withDefault(listOf(claimName), 'sub,name,email,picture', {
      doc: 'The claims of the ID token, and with `USERINFO` of the userinfo endpoint, that `/session` shows to the page. A JSON Pointer such as `/realm_access/roles` names a nested one, and is its key there.',
      example: 'sub,name,email,picture,https://example.com/roles,/realm_access/roles',
    }),
    ID_TOKEN_ALGORITHM: optional(listOf(signatureAlgorithm), {
      doc: 'The algorithms with which the provider may sign ID tokens, logout tokens and all else that it signs for us; unless set, those that it announces. Never a shared secret or none.',
      example: 'ES256',
    }),
    PROVIDER_ADDRESS: optional(internalOrigin, {
      doc: 'An origin under which the gateway, and only it, reaches the provider: metadata, keys, tokens and all else that no browser asks for are fetched there, with the public host in `X-Forwarded-Host` and `X-Forwarded-Proto`. Browsers go to `ISSUER_URL`, which the provider must call itself.',
      example: 'http://keycloak:8080',
    }),
    PROVIDER_CA: optional(certificatePem, {
      doc: "Certificate authorities trusted for the provider, instead of the system's. Certificates are always verified.",
      example: '/etc/coatcheck/provider-ca.pem',
      unit: 'PEM text',
      fileForm: true,
    }),
    PROVIDER_TIMEOUT: withDefault(seconds(1, longestProviderTimeoutSeconds), '5', {
      doc: 'How long one request to the provider may take.',
      example: '10',
      unit: 'seconds (m, h, d)',
    }),
  },
} as const
