import type { Check } from '../../check.ts'
import { fail, pass } from '../../finding.ts'
import { loginReport } from '../../login/login-report.ts'

/** The access token is of a kind that an API can verify by itself. */
export const accessTokenFormatCheck: Check = {
  id: 'access-token.format',
  async examine(context) {
    const { accessToken, fault } = await loginReport(context)
    if (fault?.kind === 'opaque' || fault?.kind === 'encrypted') return fail(fault.explanation, fault.remedy)
    return accessToken.kind === 'jwt'
      ? pass('The access token is a JWT: the API can verify it by itself.')
      : pass(
          'The access token cannot be read by the API, as ACCESS_TOKEN_FORMAT=any allows: it has to ask the provider about each one.',
        )
  },
}
