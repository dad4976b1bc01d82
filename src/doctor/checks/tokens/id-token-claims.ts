import { settings } from '../../../config/settings/settings.ts'
import type { Check } from '../../check.ts'
import { fail, pass, warn } from '../../finding.ts'
import { loginReport } from '../../login/login-report.ts'
import { plainText } from '../../plain-text.ts'

/** `USER_CLAIMS` are there for `/session` to show. */
export const idTokenClaimsCheck: Check = {
  id: 'id-token.claims',
  async examine(context) {
    const { missingClaims } = await loginReport(context)
    const { userClaims, userinfo } = context.config
    if (missingClaims.length === 0) return pass('The claims of USER_CLAIMS are there.')
    const where = userinfo ? 'Neither the ID token nor the userinfo endpoint has' : 'The ID token has no'
    const summary = `${where} ${plainText(missingClaims.join(', '))}, so /session does not show ${missingClaims.length === 1 ? 'it' : 'them'}.`
    const into =
      'the provider put them into the ID token (SCOPE, mappers, claims policies), or take them out of USER_CLAIMS.'
    const fix = userinfo ? `Let ${into}` : `Set USERINFO=on if they stand there; else let ${into}`
    // Nobody has written the default: some users have no picture, some providers no e-mail address.
    if (userClaims.join() !== settings.USER_CLAIMS.defaultText) return fail(summary, fix)
    return missingClaims.length < userClaims.length - 1 ? pass(summary) : warn(summary, fix)
  },
}
