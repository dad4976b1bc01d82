import type { Check, DoctorContext } from '../../check.ts'
import { type Finding, fail, pass, SkipCheck, warn } from '../../finding.ts'
import { demandIn } from '../../provider/demand.ts'
import { said } from '../../provider/said.ts'
import { probeRefreshGrant, type TokenAnswer } from '../../provider/token-probe.ts'
import { proofOf } from '../client-authentication.ts'

/** The client may use refresh tokens: it is handed one that was never issued, and should refuse only that. */
export const refreshGrantCheck: Check = {
  id: 'refresh-grant',
  async examine(context) {
    const credentials = await context.credentials()
    if (credentials.kind === 'client_refused')
      throw new SkipCheck(`The token endpoint does not accept ${proofOf(context.config)}.`)
    if (credentials.kind === 'unreachable') throw new SkipCheck('The token endpoint does not answer.')
    return describe(await probeRefreshGrant(await context.provider(), context.config), context)
  },
}

function describe(answer: TokenAnswer, { config, hints }: DoctorContext): Finding {
  if (answer.kind === 'client_accepted') return pass('The client may use refresh tokens.')
  const words = said(answer.facts, answer.error)
  if (answer.kind === 'unreachable')
    return warn(
      `The token endpoint did not answer a made-up refresh token (${words}): whether the client may use them could not be told.`,
      'Try again; look at the load of the provider, and at PROVIDER_TIMEOUT.',
    )
  const demand = demandIn(words, config)
  if (demand !== undefined)
    return fail(`The token endpoint demands ${demand.what} of a refresh: it says ${words}.`, demand.fix)
  return answer.kind === 'client_refused'
    ? fail(
        `The client may not use refresh tokens (${words}): sessions end with their first access token.`,
        hints.refreshToken,
      )
    : warn(
        `The token endpoint says ${words} to a made-up refresh token: whether the client may use them could not be told.`,
        'coatcheck doctor --login tries it with a real one.',
      )
}
