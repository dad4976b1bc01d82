import type { JWSHeaderParameters, JWTPayload } from 'jose'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { ProviderContext } from '../provider/context.ts'
import { isBearerToken } from './access-token-check.ts'
import type { BearerFacts, BearerRule } from './bearer-facts.ts'
import { tokenKind } from './keys/key-set.ts'

/** A caller's access token has failed a check. The message names the check, never a value. */
export class BearerTokenError extends Error {
  override readonly name = 'BearerTokenError'
}

/** RFC 9068 section 2.1, and the types that providers write who know nothing of it. */
const accessTokenTypes = new Set(['at+jwt'])
const anyJwtTypes = new Set([undefined, 'jwt'])
/** Members of ID tokens and logout tokens; an access token has none of them. */
const foreignMembers = ['nonce', 'at_hash', 'events']

/**
 * Verifies a caller's access token (RFC 9068 section 4): signature, `iss`, `aud`, `exp`, `nbf`, and that it is no token of another kind.
 *
 * @throws BearerTokenError; GatewayError `provider_unavailable` when the keys cannot be had
 */
export async function verifyBearerToken(
  context: ProviderContext,
  untrustedToken: string,
  rule: BearerRule,
): Promise<BearerFacts> {
  if (!isBearerToken(untrustedToken) || untrustedToken.split('.').length !== 3)
    throw new BearerTokenError('the token is no signed JWT')
  const { payload, header } = await verifySignature(context, untrustedToken, rule)
  expectAccessToken(header, payload, context.options.clientId)
  const audiences = [payload.aud].flat()
  return {
    issuer: context.options.issuerUrl,
    subject: subjectOf(payload),
    claims: payload,
    expiresAtMs: (payload.exp ?? 0) * 1_000,
    isForUs: !rule.accepted.some((each) => audiences.includes(each)),
    thumbprint: thumbprintOf(payload.cnf),
  }
}

async function verifySignature({ keys }: ProviderContext, token: string, rule: BearerRule) {
  try {
    return await keys.verify(token, { kind: 'bearer' }, ['exp'], [...rule.accepted, rule.resource])
  } catch (error) {
    if (error instanceof GatewayError) throw error
    throw new BearerTokenError('signature, issuer, audience or time is wrong')
  }
}

function expectAccessToken(header: JWSHeaderParameters, payload: JWTPayload, clientId: string): void {
  const kind = tokenKind(header)
  if (accessTokenTypes.has(kind ?? '')) return
  if (!anyJwtTypes.has(kind)) throw new BearerTokenError('typ is of another kind of token')
  if (foreignMembers.some((name) => Object.hasOwn(payload, name)))
    throw new BearerTokenError('it has members of another kind of token')
  if ([payload.aud].flat().includes(clientId)) throw new BearerTokenError('it is for the client')
}

function subjectOf({ sub, client_id: clientId, azp }: JWTPayload): string {
  for (const name of [sub, clientId, azp]) if (typeof name === 'string' && name !== '') return name
  throw new BearerTokenError('it names neither a user nor a client')
}

/** What we cannot check must not be taken for unbound (RFC 7800 section 3.1). */
function thumbprintOf(confirmation: unknown): string | undefined {
  if (confirmation === undefined) return undefined
  if (typeof confirmation !== 'object' || confirmation === null) throw new BearerTokenError('cnf')
  const members = Object.keys(confirmation)
  const thumbprint: unknown = Reflect.get(confirmation, 'jkt')
  if (members.length !== 1 || typeof thumbprint !== 'string' || thumbprint === '')
    throw new BearerTokenError('it is bound to a key in a way that cannot be checked here')
  return thumbprint
}
