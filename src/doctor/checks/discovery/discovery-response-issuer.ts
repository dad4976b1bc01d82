import type { Check } from '../../check.ts'
import { pass } from '../../finding.ts'

/** Whether authorization responses name their issuer (RFC 9207). */
export const discoveryResponseIssuerCheck: Check = {
  id: 'discovery.response-issuer',
  examine: async ({ metadata }) =>
    (await metadata()).authorization_response_iss_parameter_supported === true
      ? pass('Authorization responses name their issuer (RFC 9207); one that does not is refused.')
      : pass('Authorization responses name no issuer (RFC 9207); with one provider nothing is lost.'),
}
