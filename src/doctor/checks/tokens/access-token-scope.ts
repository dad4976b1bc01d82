import type { Check } from '../../check.ts'
import { pass, SkipCheck, warn } from '../../finding.ts'
import { readableToken } from '../../login/login-report.ts'
import { plainText } from '../../plain-text.ts'

/** Scopes that are about the login itself, which providers may leave out of an access token. */
const loginScopes = new Set(['openid', 'profile', 'email', 'address', 'phone', 'offline_access'])

/** The scope that was asked for was granted. */
export const accessTokenScopeCheck: Check = {
  id: 'access-token.scope',
  async examine(context) {
    const { scope: granted } = (await readableToken(context)).accessToken
    if (granted === undefined) throw new SkipCheck('The access token does not name its scope.')
    const asked = context.config.scope.split(' ').filter((one) => !loginScopes.has(one))
    // Entra is asked for api://…/name and answers name.
    const missing = asked.filter(
      (one) => !granted.includes(one) && !granted.includes(one.split('/').at(-1) ?? ''),
    )
    if (missing.length > 0)
      return warn(
        `Of the scope that was asked for, ${plainText(missing.join(', '))} was not granted to this user.`,
        'Assign it to the user or client at the provider, or take it out of SCOPE.',
      )
    return pass(`The access token carries the scope ${plainText(granted.join(' '))}.`)
  },
}
