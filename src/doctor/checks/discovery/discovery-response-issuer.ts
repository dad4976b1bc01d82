import type { Check } from '../../check.ts'
import { fail, pass } from '../../finding.ts'

/** Whether authorization responses name their issuer (RFC 9207). Under a security profile they must, and signed ones do. */
export const discoveryResponseIssuerCheck: Check = {
  id: 'discovery.response-issuer',
  async examine({ metadata, config: { securityProfile, responseMode } }) {
    if ((await metadata()).authorization_response_iss_parameter_supported === true)
      return pass('Authorization responses name their issuer (RFC 9207); one that does not is refused.')
    if (responseMode === 'jwt') return pass('Authorization responses are signed, and name their issuer so.')
    return securityProfile === 'none'
      ? pass('Authorization responses name no issuer (RFC 9207); with one provider nothing is lost.')
      : fail(
          `Authorization responses name no issuer (RFC 9207), and SECURITY_PROFILE=${securityProfile} refuses such.`,
          'Let the provider send iss, or set RESPONSE_MODE=jwt where it signs its responses.',
        )
  },
}
