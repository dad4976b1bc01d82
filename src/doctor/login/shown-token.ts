import type { ProxiedRoute } from '../../config/routes/route.ts'
import { dpopKeyOf } from '../../oidc/tokens/binding.ts'
import type { AccessToken, TokenBinding } from '../../oidc/tokens/token-set.ts'
import { createDpopProof, proofUrl } from '../../signing/dpop-proof.ts'
import { sha256 } from '../../signing/thumbprints.ts'

/**
 * The headers with which an API is shown a token: as bearer, beside the certificate of the connection where it is bound to that, or with a
 * proof that we have its key (RFC 9449 section 7.1).
 */
export type ShownToken = Readonly<Record<string, string>>

/**
 * Shows a token to the root of a route's API.
 *
 * @param nonce the one that the API wants to see in the proof
 * @param nowMs epoch milliseconds
 * @returns `undefined` when it is bound to something that cannot be shown from here
 */
export function shownToken(
  route: ProxiedRoute,
  token: AccessToken,
  binding: TokenBinding | undefined,
  nonce: string | undefined,
  nowMs: number,
): ShownToken | undefined {
  if (token.boundTo === undefined || binding?.kind === 'mtls')
    return { authorization: `Bearer ${token.value}` }
  const key = dpopKeyOf(binding)
  if (key === undefined) return undefined
  const url = proofUrl(route.proofUrl ?? route.upstream)
  const target = { method: 'GET', url, accessTokenHash: sha256(token.value), nonce }
  return { authorization: `DPoP ${token.value}`, dpop: createDpopProof(key, target, nowMs) }
}
