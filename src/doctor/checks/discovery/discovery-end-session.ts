import { postLogoutRedirectUri } from '../../../oidc/logout/logout.ts'
import { endpointOf } from '../../../oidc/provider/endpoints.ts'
import type { Check } from '../../check.ts'
import { pass, warn } from '../../finding.ts'

/** Signing out can end the provider's session too (RP-Initiated Logout 1.0). */
export const discoveryEndSessionCheck: Check = {
  id: 'discovery.end-session',
  async examine({ metadata, config, hints }) {
    const register = `The logout URL to register is ${postLogoutRedirectUri(config)}. ${hints.logoutUri}`
    if (config.endSessionUrl !== undefined)
      return pass(`END_SESSION_URL says where the provider ends its session. ${register}`)
    if (endpointOf(await metadata(), 'end_session_endpoint', config.issuerUrl) !== undefined)
      return pass(`The provider announces where it ends its session. ${register}`)
    return warn(
      'The provider announces no end-session endpoint: after signing out, the next login may ask for no password.',
      hints.name === 'Auth0' ? `${hints.endSession} ${register}` : hints.endSession,
    )
  },
}
