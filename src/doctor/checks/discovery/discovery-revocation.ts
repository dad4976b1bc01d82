import { endpointOf } from '../../../oidc/provider/endpoints.ts'
import type { Check } from '../../check.ts'
import { pass, warn } from '../../finding.ts'

/** Refresh tokens can be revoked when somebody signs out (RFC 7009). */
export const discoveryRevocationCheck: Check = {
  id: 'discovery.revocation',
  examine: async ({ metadata, config }) =>
    endpointOf(await metadata(), 'revocation_endpoint', config.issuerUrl) === undefined
      ? warn(
          'The provider has no revocation endpoint: refresh tokens of ended sessions live on there, unused.',
          'Keep the lifetime of refresh tokens short at the provider.',
        )
      : pass('Refresh tokens are revoked when somebody signs out.'),
}
