import type { Check } from '../../check.ts'
import { pass, warn } from '../../finding.ts'
import { loginReport } from '../../login/login-report.ts'

/** A logout at the provider can name this very session. */
export const idTokenSessionCheck: Check = {
  id: 'id-token.session',
  async examine(context) {
    const { namesProviderSession } = await loginReport(context)
    return namesProviderSession
      ? pass(
          "The ID token names the provider's session (sid): a logout elsewhere ends just the sessions that belong to it.",
        )
      : warn(
          "The ID token does not name the provider's session (sid): a logout elsewhere can end all sessions of the user only, or none.",
          context.hints.backchannel,
        )
  },
}
