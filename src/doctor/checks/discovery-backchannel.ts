import type { Check } from '../check.ts'
import { pass, warn } from '../finding.ts'

/** A logout elsewhere reaches this gateway (OpenID Connect Back-Channel Logout 1.0). */
export const discoveryBackchannelCheck: Check = {
  id: 'discovery.backchannel-logout',
  async examine({ metadata, config, hints }) {
    const url = `${config.baseUrl.origin}${config.authPrefix}/backchannel-logout`
    const document = await metadata()
    if (document.backchannel_logout_supported !== true) {
      return warn(
        'The provider announces no back-channel logout: a logout elsewhere may leave sessions here until they time out.',
        hints.backchannel,
      )
    }
    return document.backchannel_logout_session_supported === false
      ? pass(`Logout tokens name the user only: a logout elsewhere ends all their sessions, at ${url}.`)
      : pass(`Logouts elsewhere are told, if ${url} is registered at the provider.`)
  },
}
