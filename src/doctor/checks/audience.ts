import type { Check, DoctorContext } from '../check.ts'
import { type Finding, fail, pass, SkipCheck } from '../finding.ts'
import { quoted } from '../plain-text.ts'
import type { AuthorizationAnswer } from '../provider/authorization-probe.ts'

/** The provider knows the API for which the login asks. */
export const audienceCheck: Check = {
  id: 'audience',
  examine: async (context) => describe(await context.authorization(), context),
}

function describe(answer: AuthorizationAnswer, { config, hints }: DoctorContext): Finding {
  const { value, parameter } = config.audience
  if (value === undefined)
    return pass('No audience is asked for by a parameter; coatcheck doctor --login shows what tokens hold.')
  switch (answer.kind) {
    case 'unreachable':
    case 'refused_page':
      throw new SkipCheck('The provider refuses the authorization request before it looks at the audience.')
    case 'refused':
      if (answer.about !== 'audience')
        throw new SkipCheck('The provider refuses the authorization request for another reason.')
      return fail(
        `The provider does not know the API audience ${quoted(value)}.`,
        `Correct API_AUDIENCE. ${hints.accessToken('wrong_audience', value)}`,
      )
    case 'accepted':
    case 'login_page':
      return pass(
        hints.name === 'Auth0'
          ? `Auth0 knows the API ${quoted(value)}.`
          : `The provider does not object to ${parameter} ${quoted(value)}; coatcheck doctor --login shows what tokens hold.`,
      )
  }
}
