import type { Check, DoctorContext } from '../check.ts'
import { type Finding, fail, pass, SkipCheck, warn } from '../finding.ts'
import { quoted } from '../plain-text.ts'
import { probeRefreshGrant, type TokenAnswer } from '../provider/token-probe.ts'

/** The client may use refresh tokens: it is handed one that was never issued, and should refuse only that. */
export const refreshGrantCheck: Check = {
  id: 'refresh-grant',
  async examine(context) {
    const credentials = await context.credentials()
    if (credentials.kind !== 'client_accepted')
      throw new SkipCheck('The token endpoint does not accept CLIENT_SECRET.')
    return describe(await probeRefreshGrant(await context.provider(), context.config.audience), context)
  },
}

function describe(answer: TokenAnswer, { hints }: DoctorContext): Finding {
  switch (answer.kind) {
    case 'client_accepted':
      return pass('The client may use refresh tokens.')
    case 'client_refused':
      return fail(
        `The client may not use refresh tokens (${quoted(answer.error)}): sessions end with their first access token.`,
        hints.refreshToken,
      )
    default:
      return warn(
        `The token endpoint says ${quoted(answer.error)} to a made-up refresh token: whether the client may use them cannot be seen.`,
        'coatcheck doctor --login tries it with a real one.',
      )
  }
}
