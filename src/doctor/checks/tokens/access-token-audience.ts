import type { Check } from '../../check.ts'
import { fail, pass } from '../../finding.ts'
import { readableToken } from '../../login/login-report.ts'
import { plainText } from '../../plain-text.ts'

/** The access token is for the API. */
export const accessTokenAudienceCheck: Check = {
  id: 'access-token.audience',
  async examine(context) {
    const { accessToken, fault } = await readableToken(context)
    if (fault !== undefined) return fail(plainText(fault.explanation), fault.remedy)
    const { audiences } = accessToken
    const { accepted } = context.config.audience
    const ours = audiences.find((audience) => accepted.includes(audience))
    if (ours !== undefined) {
      const others = audiences.length === 1 ? '' : ', among others'
      return pass(`The access token is for ${plainText(ours)}${others}: let the API insist on that.`)
    }
    return pass(
      audiences.length === 0
        ? 'The access token names no audience: let the API insist on our client id instead.'
        : `The access token is for ${plainText(audiences.join(', '))}, and no other audience was configured.`,
    )
  },
}
