import type { ServerMetadata } from 'openid-client'
import { providerHints } from './profiles/hints.ts'

/**
 * Whom an assertion is for: the issuer, or its token endpoint where the provider takes nothing else (Hydra). That address must be on the
 * issuer's own origin: metadata that name another provider's would have us sign what that one takes, and hand it to whoever wrote them.
 */
export function assertionAudience(server: ServerMetadata): string {
  const { issuer, token_endpoint: endpoint } = server
  if (endpoint === undefined || !providerHints(issuer, server).wantsTokenEndpoint) return issuer
  return URL.parse(endpoint)?.origin === new URL(issuer).origin ? endpoint : issuer
}
