import { issuer, publicUrl, upstreamUrl } from '../kinds/address.ts'
import { secretText, sessionSecrets } from '../kinds/secret.ts'
import { listOf, text } from '../kinds/values.ts'
import { optional, required } from '../setting.ts'

/** What every installation says. */
export const mainSettings = {
  title: 'The essentials',
  rows: {
    ISSUER_URL: required(issuer, {
      doc: 'The OpenID Provider, exactly as its discovery document spells `issuer`: Auth0 ends in a slash, most others do not.',
      example: 'https://your-tenant.eu.auth0.com/',
      mistakenFor: ['ISSUER', 'OIDC_ISSUER', 'OIDC_ISSUER_URL', 'OPENID_ISSUER'],
    }),
    CLIENT_ID: required(text, {
      doc: 'The client (application) that is registered at the provider for this gateway: a confidential web application.',
      example: 'mCSVyRKnGXzIbO3uBFXbKq0vGyWdgpEc',
      mistakenFor: ['OIDC_CLIENT_ID', 'OAUTH_CLIENT_ID'],
    }),
    CLIENT_SECRET: optional(secretText, {
      doc: 'The secret of that client. Required unless it proves itself in another way (`CLIENT_AUTHENTICATION`).',
      example: 'the-secret-from-the-provider',
      secret: true,
      mistakenFor: ['OIDC_CLIENT_SECRET', 'OAUTH_CLIENT_SECRET'],
    }),
    API_AUDIENCE: optional(listOf(text), {
      doc: 'The identifier of the API at the provider. Several, separated by commas: the first is asked for, any of them is accepted in an access token. Required unless `AUDIENCE_PARAMETER=none` and `ACCESS_TOKEN_FORMAT` is not `jwt`.',
      example: 'https://api.example.com',
      mistakenFor: ['AUDIENCE', 'OIDC_AUDIENCE', 'AUTH0_AUDIENCE'],
    }),
    API_URL: optional(upstreamUrl, {
      doc: 'Where the API is reached; its path replaces `API_PREFIX`. For several APIs use `ROUTES_FILE` instead; one of the two is required.',
      example: 'http://localhost:8080/v1',
      mistakenFor: ['UPSTREAM', 'UPSTREAM_URL', 'BACKEND_URL'],
    }),
    BASE_URL: required(publicUrl, {
      doc: 'Where browsers reach this gateway: an origin, or an origin and a path that everything then lies beneath. It alone decides redirect URIs, cookie names and `Secure`; `Host` and `X-Forwarded-*` decide nothing. https, unless the host is loopback.',
      example: 'https://app.example.com',
      mistakenFor: ['PUBLIC_URL', 'APP_URL', 'ORIGIN'],
    }),
    SESSION_SECRET: required(sessionSecrets, {
      doc: 'Seals sessions and transactions: at least 32 random characters, as `coatcheck secret` makes them. Several, separated by commas: the first seals, all open.',
      example: '<output of: coatcheck secret>',
      secret: true,
      mistakenFor: ['COOKIE_SECRET', 'SECRET'],
    }),
  },
} as const
