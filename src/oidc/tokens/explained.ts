import { ClientError } from 'openid-client'
import type { ProviderContext } from '../provider/context.ts'
import { unwrapped } from '../provider/failures/provider-error.ts'
import { CheckError } from '../provider/failures/refusal.ts'
import { type IdTokenRules, verifyIdToken } from '../verification/id-token.ts'
import type { ExpectedBinding } from './binding.ts'
import { expectUse, type UntrustedTokenResponse } from './token-response.ts'

/**
 * Why the OpenID library refused a token answer: it says so in words of its own, before our checks have run. They run now, to name the check
 * and both values.
 *
 * @returns what our checks say, else the error as it is. Never throws
 */
export async function explained(
  context: ProviderContext,
  error: unknown,
  response: UntrustedTokenResponse,
  rules: IdTokenRules,
  expected: ExpectedBinding,
): Promise<unknown> {
  const known = unwrapped(error)
  if (known !== error) return known
  if (!(error instanceof ClientError) || response.access_token === undefined) return error
  try {
    expectUse(response, expected)
    const { id_token: idToken } = response
    if (typeof idToken === 'string') await verifyIdToken(context, { ...response, id_token: idToken }, rules)
    return error
  } catch (own) {
    return own instanceof CheckError ? own : error
  }
}
