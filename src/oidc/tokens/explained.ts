import { ClientError } from 'openid-client'
import type { ProviderContext } from '../provider/context.ts'
import { unwrapped } from '../provider/failures/provider-error.ts'
import { CheckError } from '../provider/failures/refusal.ts'
import { type IdTokenRules, idTokenIn, verifyIdToken } from '../verification/id-token.ts'
import type { ExpectedBinding } from './binding.ts'
import {
  accessTokenIn,
  bringsTokens,
  expectUse,
  readRefreshToken,
  type UntrustedTokenResponse,
} from './token-response.ts'

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
  if (!(error instanceof ClientError) || !bringsTokens(response)) return error
  try {
    expectUse(response, expected)
    accessTokenIn(response)
    readRefreshToken(response)
    const idToken = idTokenIn(response, rules.use)
    if (idToken !== undefined) await verifyIdToken(context, { ...response, id_token: idToken }, rules)
    return error
  } catch (own) {
    return own instanceof CheckError ? own : error
  }
}
