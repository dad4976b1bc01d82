import type { Check, DoctorContext } from '../check.ts'
import { type Finding, fail, pass, SkipCheck, warn } from '../finding.ts'
import { quoted } from '../plain-text.ts'
import { describeFailure } from '../probes/reach.ts'
import type { AuthorizationAnswer } from '../provider/authorization-probe.ts'

/** The provider knows `CLIENT_ID`, and lets it use the authorization code flow with our scope. */
export const clientCheck: Check = {
  id: 'client',
  examine: async (context) => describe(await context.authorization(), context),
}

const known = pass('The provider knows the client.')

function describe(answer: AuthorizationAnswer, context: DoctorContext): Finding {
  switch (answer.kind) {
    case 'unreachable':
      return fail(
        `The authorization endpoint does not answer: ${describeFailure(answer.code)}.`,
        'See whether the authorization_endpoint of the discovery document can be opened from this machine.',
      )
    case 'silent_fails':
      return warn(
        `The provider knows the client, but fails (${answer.code}) when it is asked for a login that may ask nobody (prompt=none).`,
        'Do not use /login?prompt=none with it, or ask its makers; ordinary logins are not concerned.',
      )
    case 'refused_page':
      return answer.demand === undefined
        ? describePage(answer.about, context)
        : fail(
            `The provider demands ${answer.demand.what} of this client: it says ${quoted(answer.demand.words)}.`,
            answer.demand.fix,
          )
    case 'refused':
      return describeRefusal(answer, context)
    case 'accepted':
    case 'login_page':
      return known
  }
}

function describePage(
  about: 'client' | 'redirect_uri' | 'unknown',
  { config, hints }: DoctorContext,
): Finding {
  if (about === 'redirect_uri') return known
  if (about === 'unknown')
    throw new SkipCheck('The provider does not say which it refuses, the client or the redirect URI.')
  return fail(
    `The provider does not know the client ${quoted(config.clientId)}.`,
    `Correct CLIENT_ID. ${hints.client}`,
  )
}

function describeRefusal(
  { about, error, untrustedDescription, demand }: AuthorizationAnswer & { readonly kind: 'refused' },
  { config, hints }: DoctorContext,
): Finding {
  const said = quoted(untrustedDescription === '' ? error : `${error}: ${untrustedDescription}`)
  if (demand !== undefined)
    return fail(`The provider demands ${demand.what} of this client: it says ${said}.`, demand.fix)
  switch (about) {
    case 'audience':
      return known
    case 'scope':
      return fail(
        `The provider refuses the scope ${quoted(config.scope)}: it says ${said}.`,
        'Take out of SCOPE what the provider does not know, or register it there.',
      )
    case 'flow':
      return fail(
        `The client may not use the authorization code flow: the provider says ${said}.`,
        hints.client,
      )
    case 'unknown':
      return fail(
        `The provider refuses the authorization request: it says ${said}.`,
        "Look for the request in the provider's log; compare SCOPE and AUTHORIZATION_PARAMETERS with the client.",
      )
  }
}
