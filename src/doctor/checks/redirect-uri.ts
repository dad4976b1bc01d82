import { redirectUri } from '../../oidc/login/login.ts'
import type { Check, DoctorContext } from '../check.ts'
import { type Finding, fail, pass, SkipCheck, warn } from '../finding.ts'
import type { AuthorizationAnswer } from '../provider/authorization-probe.ts'

/** The provider sends browsers to our callback. */
export const redirectUriCheck: Check = {
  id: 'redirect-uri',
  examine: async (context) => describe(await context.authorization(), context),
}

function describe(answer: AuthorizationAnswer, { config, hints }: DoctorContext): Finding {
  const uri = redirectUri(config)
  switch (answer.kind) {
    case 'unreachable':
      throw new SkipCheck('The authorization endpoint does not answer.')
    case 'refused_page':
      if (answer.demand !== undefined)
        throw new SkipCheck('The provider refuses the authorization request for another reason.')
      return describePage(answer.about, uri, hints)
    case 'silent_fails':
    case 'login_page':
      return warn(
        `The provider shows a page instead of sending browsers to ${uri}: whether that is registered cannot be seen from here.`,
        `Try a login with coatcheck doctor --login. ${hints.redirectUri}`,
      )
    case 'refused':
    case 'accepted':
      return pass(`The provider sends browsers to ${uri}.`)
  }
}

function describePage(
  about: 'client' | 'redirect_uri' | 'unknown',
  uri: string,
  hints: DoctorContext['hints'],
): Finding {
  const fix = `The callback URL to register is ${uri}. ${hints.redirectUri}`
  switch (about) {
    case 'client':
      throw new SkipCheck('The provider does not know the client.')
    case 'redirect_uri':
      return fail(`The callback URL ${uri} is not registered at the provider.`, fix)
    case 'unknown':
      return fail(
        `The provider refuses the request with a page: the callback URL ${uri} is not registered, or CLIENT_ID is wrong.`,
        `${fix} Compare CLIENT_ID, too.`,
      )
  }
}
