import { GatewayError } from '../../errors/gateway-error.ts'
import type { ProviderHints } from '../../oidc/provider/hints.ts'
import { type Finding, fail } from '../finding.ts'
import { quoted } from '../plain-text.ts'

/** Why a login that was begun has failed, in the words of an operator. */
export function describeLoginFailure(error: unknown, hints: ProviderHints): Finding {
  if (!(error instanceof GatewayError)) throw error
  const { reason, description, remedy } = error.context
  const said = quoted(reason ?? error.code)
  switch (error.code) {
    case 'login_denied':
      return fail(
        `The provider denied the login: ${said}, ${quoted(description)}.`,
        typeof remedy === 'string'
          ? remedy
          : "Look for the login in the provider's log; sign in as a user who may use the application.",
      )
    case 'provider_rejected':
      return fail(
        `The token endpoint refuses the client (${said}).`,
        `Correct CLIENT_SECRET. ${hints.client}`,
      )
    case 'provider_unavailable':
      return fail(
        `The provider does not answer (${said}).`,
        'Try again; see whether its endpoints can be reached.',
      )
    default:
      return fail(
        `The login came back, but what came with it fails a check (${said}).`,
        "See the checks of discovery and clocks above; then look for the login in the provider's log.",
      )
  }
}
