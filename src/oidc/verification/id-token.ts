import { createHash } from 'node:crypto'
import type { JWSHeaderParameters, JWTPayload } from 'jose'
import type { ProviderContext } from '../provider/context.ts'
import { CheckError } from '../provider/failures/refusal.ts'
import { tokenKind } from './keys/key-set.ts'
import type { KeyUse } from './keys/key-use.ts'

/** A check of an ID token has failed. Its message names the check, never a value. */
export class IdTokenError extends CheckError {
  override readonly name = 'IdTokenError'

  /** @param claim the claim or header member, or another short word */
  constructor(claim: string, compared: ConstructorParameters<typeof CheckError>[1] = {}) {
    super(`id_token.${claim}`, compared, 'ID_TOKEN_REFUSED')
  }
}

/** Tokens of these kinds are signed by the same keys but are no ID tokens. */
const typesOfIdTokens = new Set([undefined, 'jwt', 'id_token+jwt'])
const futureToleranceSeconds = 60
const longestSubject = 255
/** With every claim that a provider can add, a few dozen kilobytes; it is stored with each session. */
const longestIdToken = 64 * 1024

/** What an ID token is verified for. */
export interface IdTokenRules {
  readonly use: KeyUse
  /** How old `iat` may be, seconds. */
  readonly oldestSeconds: number
  /** What was asked for; absent: a token without one, and any other, will do. */
  readonly nonce?: string | undefined
  /** Whether a token without a nonce will do all the same (Core section 12.2). */
  readonly nonceIsOptional?: boolean
}

/**
 * The ID token of a token response, if there is one.
 *
 * @param use a login must bring one, a refresh need not (Core section 12.2)
 * @throws IdTokenError when it is missing at a login, or no text
 */
export function idTokenIn(
  { id_token: untrusted }: { readonly id_token?: unknown },
  { kind }: Pick<KeyUse, 'kind'>,
): string | undefined {
  if (typeof untrusted === 'string') return untrusted
  if (untrusted === undefined && kind === 'refresh') return undefined
  throw new IdTokenError('format', {
    expected: 'a signed JWT',
    received: untrusted === undefined ? 'none' : 'no text',
  })
}

/**
 * Verifies an ID token (OpenID Connect Core section 3.1.3.7) beyond what the OpenID library does: the signature, the kind of token, the
 * subject, `azp`, `at_hash` when it is there, and an `iat` near our own time.
 *
 * @param response the token response that brought the ID token
 * @throws IdTokenError, errors of jose, GatewayError `provider_unavailable`
 */
export async function verifyIdToken(
  { keys, options, now }: ProviderContext,
  response: { readonly id_token: string; readonly access_token?: unknown },
  { use, oldestSeconds, ...rules }: IdTokenRules,
): Promise<JWTPayload> {
  if (response.id_token.length > longestIdToken)
    throw new IdTokenError('length', {
      expected: `at most ${longestIdToken}`,
      received: response.id_token.length,
    })
  const { payload, header } = await keys.verify(response.id_token, use, ['sub', 'iat', 'exp'])
  expectHeader(header)
  // A logout token of the same keys, written with the type of any JWT.
  if (Object.hasOwn(payload, 'events')) throw new IdTokenError('events')
  expectNonce(payload.nonce, rules)
  expectAccessTokenHash(payload.at_hash, header.alg, response.access_token)
  expectSubject(payload.sub)
  expectParty(payload, options.clientId)
  expectTime(payload.iat, now() / 1_000, oldestSeconds)
  expectAuthTime(payload.auth_time)
  return payload
}

function expectHeader(header: JWSHeaderParameters): void {
  const received = tokenKind(header)
  if (!typesOfIdTokens.has(received)) throw new IdTokenError('typ', { expected: 'JWT', received })
}

function expectNonce(
  received: unknown,
  { nonce, nonceIsOptional }: Pick<IdTokenRules, 'nonce' | 'nonceIsOptional'>,
) {
  if (nonce === undefined || (received === undefined && nonceIsOptional === true)) return
  if (received !== nonce) throw new IdTokenError('nonce')
}

/** OpenID Connect Core section 3.1.3.8: the left half of the hash that the signature's algorithm uses. */
function expectAccessTokenHash(claimed: unknown, algorithm = '', accessToken: unknown): void {
  if (claimed === undefined) return
  const bits = /^Ed/.test(algorithm) ? '512' : algorithm.slice(2)
  const digest = createHash(`sha${bits}`).update(String(accessToken)).digest()
  const expected = digest.subarray(0, digest.length / 2).toString('base64url')
  if (claimed !== expected) throw new IdTokenError('at_hash', { expected, received: claimed })
}

function expectSubject(subject: unknown): void {
  if (typeof subject !== 'string' || subject === '' || subject.length > longestSubject)
    throw new IdTokenError('sub')
}

function expectParty({ aud, azp }: JWTPayload, clientId: string): void {
  const received = { expected: clientId, received: azp }
  if (azp !== undefined && azp !== clientId) throw new IdTokenError('azp', received)
  // Several audiences, and nobody says that we are the one who asked.
  if (Array.isArray(aud) && aud.length > 1 && azp !== clientId) throw new IdTokenError('azp', received)
}

function expectTime(issuedAt: unknown, nowSeconds: number, oldestSeconds: number): void {
  const [earliest, latest] = [nowSeconds - oldestSeconds, nowSeconds + futureToleranceSeconds].map(Math.floor)
  const compared = { expected: `from ${earliest} to ${latest}`, received: issuedAt }
  if (typeof issuedAt !== 'number' || !(issuedAt >= Number(earliest) && issuedAt <= Number(latest)))
    throw new IdTokenError('iat', compared)
}

function expectAuthTime(received: unknown): void {
  if (received === undefined || (typeof received === 'number' && received >= 0)) return
  throw new IdTokenError('auth_time', { expected: 'seconds since 1970', received })
}
