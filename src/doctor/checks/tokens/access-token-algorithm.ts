import type { Check } from '../../check.ts'
import { fail, pass } from '../../finding.ts'
import { readableToken } from '../../login/login-report.ts'
import { plainText } from '../../plain-text.ts'

/** The API can verify the access token with public keys. */
export const accessTokenAlgorithmCheck: Check = {
  id: 'access-token.algorithm',
  async examine(context) {
    const { accessToken } = await readableToken(context)
    const algorithm = plainText(accessToken.algorithm ?? 'none')
    if (algorithm.startsWith('HS')) {
      return fail(
        `The access token is signed with ${algorithm}, a shared secret: the provider's public keys cannot verify it, and whoever could verify it could forge it.`,
        context.hints.accessToken('symmetric', ''),
      )
    }
    return /^none$/i.test(algorithm)
      ? fail(
          'The access token is not signed: anybody could have made it.',
          context.hints.accessToken('symmetric', ''),
        )
      : pass(
          `The access token is signed with ${algorithm}: the API verifies it with the provider's public keys.`,
        )
  },
}
