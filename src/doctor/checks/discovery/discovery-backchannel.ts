import type { Check, DoctorContext } from '../../check.ts'
import { type Finding, pass, warn } from '../../finding.ts'
import type { Metadata } from '../../provider/discovery.ts'

/** A logout elsewhere reaches this gateway (OpenID Connect Back-Channel Logout 1.0). */
export const discoveryBackchannelCheck: Check = {
  id: 'discovery.backchannel-logout',
  async examine(context) {
    const found = describe(await context.metadata(), context)
    const { config, hints } = context
    const isOffline = config.scope.split(' ').includes('offline_access')
    return hints.offlineAccess === undefined || !isOffline
      ? found
      : [found, warn(hints.offlineAccess.summary, hints.offlineAccess.fix)]
  },
}

function describe(document: Metadata, { config, hints }: DoctorContext): Finding {
  const place = `${config.baseUrl.origin}${config.authPrefix}`
  const url = `${place}/backchannel-logout`
  if (document.backchannel_logout_supported === true) {
    return document.backchannel_logout_session_supported === false
      ? pass(`Logout tokens name the user only: a logout elsewhere ends all their sessions, at ${url}.`)
      : pass(`Logouts elsewhere are told, if ${url} is registered at the provider.`)
  }
  if (document.frontchannel_logout_supported === true) {
    return warn(
      'The provider announces front-channel logout only: a logout elsewhere is told by the browser in which it happens, if that lets it.',
      `Register ${place}/frontchannel-logout as front-channel logout URL, with the session (sid) required.`,
    )
  }
  return warn(
    'The provider announces no back-channel logout: a logout elsewhere may leave sessions here until they time out.',
    hints.backchannel,
  )
}
