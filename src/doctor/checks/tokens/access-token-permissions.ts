import type { Check } from '../../check.ts'
import { pass } from '../../finding.ts'
import { readableToken } from '../../login/login-report.ts'
import { plainText } from '../../plain-text.ts'

/** Where the API finds what the user may do. */
export const accessTokenPermissionsCheck: Check = {
  id: 'access-token.permissions',
  async examine(context) {
    const { rights } = (await readableToken(context)).accessToken
    if (rights.length === 0) {
      const hint =
        context.hints.name === 'Auth0'
          ? ' (Enable RBAC and Add Permissions in the Access Token add them)'
          : ''
      return pass(
        `The access token has no permissions claim${hint}: the API reads the user's rights from the scope.`,
      )
    }
    const found = rights.map(({ claim, names }) => `${claim}: ${names.join(', ') || 'none'}`)
    return pass(`The user's rights are in the access token: ${plainText(found.join('; '))}.`)
  },
}
