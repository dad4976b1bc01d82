import type { RouteConfig } from '../config/routes/route.ts'
import type { PublicDocument } from '../http/keys/public-documents.ts'
import type { GatewayKeys } from './gateway-keys.ts'
import { type AccessPartsOptions, gatewayIssuer } from './parts.ts'
import { resourceMetadataPath } from './rules/rules.ts'

/** What the documents are made of; the configuration fits. */
export interface DocumentOptions extends AccessPartsOptions {
  readonly authPrefix: string
  readonly issuerUrl: string
  readonly routes: readonly RouteConfig[]
}

/**
 * What APIs and callers read about this gateway: the keys of minted tokens, and where tokens for a route are had.
 *
 * @param keys those of minted tokens, where any route has them
 */
export function accessDocuments(
  options: DocumentOptions,
  keys: GatewayKeys | undefined,
): readonly PublicDocument[] {
  const { routes } = options
  return [
    ...(keys !== undefined && routes.some(({ access }) => access.token === 'gateway')
      ? mintingDocuments(options, keys)
      : []),
    ...routes
      .filter(({ access }) => access.callers.includes('bearer'))
      .map((route) => resourceMetadata(options, route)),
  ]
}

/** Issuer and keys, and no more: any JWT library verifies minted tokens by these (RFC 8414 section 3, OpenID Connect Discovery section 4). */
function mintingDocuments(options: DocumentOptions, keys: GatewayKeys): readonly PublicDocument[] {
  const { baseUrl, basePath, authPrefix } = options
  const keysPath = `${authPrefix}/keys`
  return [
    { path: keysPath, type: 'application/jwk-set+json', content: () => ({ keys: keys.published() }) },
    {
      path: `${basePath}/.well-known/openid-configuration`,
      content: () => ({ issuer: gatewayIssuer(options), jwks_uri: `${baseUrl.origin}${keysPath}` }),
    },
  ]
}

/** RFC 9728 section 2. */
function resourceMetadata(
  { baseUrl, issuerUrl }: DocumentOptions,
  { prefix, access }: RouteConfig,
): PublicDocument {
  const scopes = (access.require?.claims ?? [])
    .filter(({ claim }) => claim === 'scope')
    .flatMap(({ values }) => values)
  return {
    path: resourceMetadataPath(prefix),
    content: () => ({
      resource: `${baseUrl.origin}${prefix}`,
      authorization_servers: [issuerUrl],
      bearer_methods_supported: ['header'],
      ...(scopes.length === 0 ? {} : { scopes_supported: scopes }),
    }),
  }
}
