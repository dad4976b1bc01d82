import type { Check } from '../../check.ts'
import { fail, pass, warn } from '../../finding.ts'
import { readableToken } from '../../login/login-report.ts'
import { listOf } from '../../provider/discovery.ts'

/** The access token is about the user who signed in. */
export const accessTokenSubjectCheck: Check = {
  id: 'access-token.subject',
  async examine(context) {
    const { accessToken, isSameUser } = await readableToken(context)
    if (accessToken.subject === undefined)
      return warn(
        'The access token names no subject (sub): an API that knows its users by it knows nobody.',
        'Let the provider put sub into access tokens, unless your API reads the user from another claim.',
      )
    if (isSameUser) return pass('The access token names the user who signed in (sub).')
    if (context.hints.name === 'Microsoft Entra ID')
      return pass(
        "At Entra an access token's sub is another than the ID token's, by design: let the API know users by oid.",
      )
    const subjects = listOf(await context.metadata(), 'subject_types_supported') ?? []
    const fix =
      'Let the provider issue access tokens for the user of the login, with the same sub: see what maps claims into them.'
    return subjects.includes('pairwise')
      ? warn(
          'The access token names another sub than the ID token; the provider can give each client a name of its own (pairwise), or it is another user.',
          fix,
        )
      : fail('The access token names another sub than the ID token: it is for another user.', fix)
  },
}
