import { createHash } from 'node:crypto'
import type { JWSHeaderParameters, JWTPayload } from 'jose'
import type { ProviderContext } from '../provider/context.ts'
import type { Identity } from '../tokens/token-set.ts'
import { tokenKind } from './key-set.ts'
import type { KeyUse } from './keys.ts'

/** A check of an ID token has failed. Its message names the check, never a value. */
export class IdTokenError extends Error {
  override readonly name = 'IdTokenError'
  readonly code = 'ID_TOKEN_REFUSED'
}

/** Tokens of these kinds are signed by the same keys but are no ID tokens. */
const typesOfIdTokens = new Set([undefined, 'jwt', 'id_token+jwt'])
const futureToleranceSeconds = 60
const longestSubject = 255
/** With every claim that a provider can add, a few dozen kilobytes; it is stored with each session. */
const longestIdToken = 64 * 1024
/** `session_expiry` in milliseconds instead of seconds would keep a session for ages. */
const latestEpochSeconds = 100_000_000_000

/** What an ID token is verified for. */
export interface IdTokenRules {
  readonly use: KeyUse
  /** How old `iat` may be, seconds. */
  readonly oldestSeconds: number
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
  { use, oldestSeconds }: IdTokenRules,
): Promise<JWTPayload> {
  if (response.id_token.length > longestIdToken) throw new IdTokenError('too long')
  const { payload, header } = await keys.verify(response.id_token, use, ['sub', 'iat', 'exp'])
  expectHeader(header)
  // A logout token of the same keys, written with the type of any JWT.
  if (Object.hasOwn(payload, 'events')) throw new IdTokenError('events')
  expectAccessTokenHash(payload.at_hash, header.alg, response.access_token)
  expectSubject(payload.sub)
  expectParty(payload, options.clientId)
  expectTime(payload.iat, now() / 1_000, oldestSeconds)
  return payload
}

function expectHeader(header: JWSHeaderParameters): void {
  if (!typesOfIdTokens.has(tokenKind(header))) throw new IdTokenError('typ')
}

/** OpenID Connect Core section 3.1.3.8: the left half of the hash that the signature's algorithm uses. */
function expectAccessTokenHash(claimed: unknown, algorithm = '', accessToken: unknown): void {
  if (claimed === undefined) return
  const bits = /^Ed/.test(algorithm) ? '512' : algorithm.slice(2)
  const digest = createHash(`sha${bits}`).update(String(accessToken)).digest()
  if (claimed !== digest.subarray(0, digest.length / 2).toString('base64url'))
    throw new IdTokenError('at_hash')
}

function expectSubject(subject: unknown): void {
  if (typeof subject !== 'string' || subject === '' || subject.length > longestSubject)
    throw new IdTokenError('sub')
}

function expectParty({ aud, azp }: JWTPayload, clientId: string): void {
  if (azp !== undefined && azp !== clientId) throw new IdTokenError('azp')
  if (Array.isArray(aud) && aud.length > 1 && azp !== clientId) throw new IdTokenError('aud')
}

function expectTime(issuedAt: unknown, nowSeconds: number, oldestSeconds: number): void {
  if (typeof issuedAt !== 'number' || !Number.isFinite(issuedAt)) throw new IdTokenError('iat')
  if (issuedAt > nowSeconds + futureToleranceSeconds) throw new IdTokenError('iat is ahead')
  if (issuedAt < nowSeconds - oldestSeconds) throw new IdTokenError('iat is old')
}

/** The pinned facts of a login's ID token. */
export function identityOf(payload: JWTPayload, userClaims: readonly string[]): Identity {
  return {
    issuer: payload.iss ?? '',
    subject: payload.sub ?? '',
    providerSessionId: textOf(payload.sid),
    loginIssuedAtSeconds: payload.iat ?? 0,
    authTimeSeconds: numberOf(payload.auth_time),
    acr: textOf(payload.acr),
    claims: chosenClaims(payload, userClaims),
  }
}

/**
 * The identity after a refresh: user and login stay pinned, claims that the new ID token brings replace the old ones, those that it lacks
 * are kept (OpenID Connect Core section 12.2).
 *
 * @throws IdTokenError when it is another user's, or of another sign-in
 */
export function refreshedIdentity(
  payload: JWTPayload,
  pinned: Identity,
  userClaims: readonly string[],
): Identity {
  if (payload.iss !== pinned.issuer || payload.sub !== pinned.subject) throw new IdTokenError('another user')
  // A later one is the user signing in at the provider again, in this session's favour; an earlier one is another sign-in.
  const authTime = numberOf(payload.auth_time)
  if (authTime !== undefined && pinned.authTimeSeconds !== undefined && authTime < pinned.authTimeSeconds) {
    throw new IdTokenError('auth_time')
  }
  return { ...pinned, claims: { ...pinned.claims, ...chosenClaims(payload, userClaims) } }
}

/** When the provider wants the session to end, epoch seconds. */
export function sessionExpiryOf(payload: JWTPayload): number | undefined {
  const seconds = numberOf(payload.session_expiry)
  return seconds !== undefined && seconds > 0 && seconds < latestEpochSeconds ? seconds : undefined
}

function chosenClaims(payload: JWTPayload, names: readonly string[]): Readonly<Record<string, unknown>> {
  const chosen = Object.fromEntries(
    names.filter((name) => Object.hasOwn(payload, name)).map((name) => [name, payload[name]]),
  )
  try {
    // They are written with the session and shown by `/session`: what nests too deeply to be written cannot be either.
    JSON.stringify(chosen)
    return chosen
  } catch {
    throw new IdTokenError('claims')
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}
