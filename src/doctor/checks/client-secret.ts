import type { Check, DoctorContext } from '../check.ts'
import { type Finding, fail, pass, SkipCheck, warn } from '../finding.ts'
import { quoted } from '../plain-text.ts'
import type { TokenAnswer } from '../provider/token-probe.ts'

/** The token endpoint accepts the client's secret: it is handed a code that was never issued, and should refuse only that. */
export const clientSecretCheck: Check = {
  id: 'client-secret',
  async examine(context) {
    const asked = await context.authorization()
    if (asked.kind === 'refused_page' && asked.about === 'client')
      throw new SkipCheck('The provider does not know the client.')
    return describe(await context.credentials(), context)
  },
}

function describe(answer: TokenAnswer, { config, hints }: DoctorContext): Finding {
  switch (answer.kind) {
    case 'client_accepted':
      return pass(`The token endpoint accepts CLIENT_SECRET by ${config.clientAuthentication}.`)
    case 'client_refused':
      return fail(
        `The token endpoint refuses CLIENT_ID with CLIENT_SECRET (${quoted(answer.error)}).`,
        `Correct CLIENT_SECRET; it was sent by CLIENT_AUTHENTICATION=${config.clientAuthentication}. ${hints.client}`,
      )
    case 'unreachable':
      return fail(
        `The token endpoint does not answer (${quoted(answer.error)}).`,
        'See whether the token_endpoint of the discovery document can be reached from this machine.',
      )
    case 'unclear':
      return warn(
        `The token endpoint says ${quoted(answer.error)} to a made-up code: whether it accepts CLIENT_SECRET cannot be seen.`,
        `Try a login with coatcheck doctor --login. ${hints.client}`,
      )
  }
}
