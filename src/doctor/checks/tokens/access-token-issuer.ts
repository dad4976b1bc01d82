import type { Check } from '../../check.ts'
import { pass, warn } from '../../finding.ts'
import { readableToken } from '../../login/login-report.ts'
import { plainText, quoted } from '../../plain-text.ts'

/** The access token names the issuer that the API knows. */
export const accessTokenIssuerCheck: Check = {
  id: 'access-token.issuer',
  async examine(context) {
    const { issuer } = (await readableToken(context)).accessToken
    const { issuerUrl } = context.config
    if (issuer === issuerUrl)
      return pass(`The access token is issued by ${issuerUrl}: let the API insist on that.`)
    return warn(
      `The access token is issued by ${quoted(issuer ?? 'nobody')}, not by ISSUER_URL: an API that expects ${issuerUrl} refuses it.`,
      issuer?.startsWith('https://sts.windows.net/') === true
        ? 'Set requestedAccessTokenVersion to 2 in the manifest of the API in Entra.'
        : `Let the API expect ${plainText(issuer ?? 'no issuer')}, or compare ISSUER_URL with the provider.`,
    )
  },
}
