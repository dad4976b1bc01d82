import type { Check } from '../../check.ts'
import { fail, pass, SkipCheck } from '../../finding.ts'
import { readableToken } from '../../login/login-report.ts'

/** The access token is signed with a key that the provider publishes. */
export const accessTokenSignatureCheck: Check = {
  id: 'access-token.signature',
  async examine(context) {
    const { signature } = await readableToken(context)
    const fix =
      "Let the provider publish the key with which it signs access tokens at its jwks_uri; see whether another server's tokens come."
    switch (signature) {
      case 'verified':
        return pass('The access token is signed with a key that the provider publishes.')
      case 'unpublished':
        return fail('The access token is signed with a key that the provider does not publish.', fix)
      case 'forged':
        return fail("The access token's signature does not fit the published key of its id (kid).", fix)
      case 'unreadable':
        throw new SkipCheck('The access token has no signature that a public key could verify.')
      case 'unknown':
        throw new SkipCheck("The provider's keys could not be had.")
    }
  },
}
