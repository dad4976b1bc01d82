import type { JWTPayload } from 'jose'
import type { Identity } from '../tokens/token-set.ts'
import { type Claims, pickClaims } from './claims.ts'
import { IdTokenError } from './id-token.ts'

/** `session_expiry` in milliseconds instead of seconds would keep a session for ages. */
const latestEpochSeconds = 100_000_000_000

/**
 * The pinned facts of a login's ID token.
 *
 * @param userinfo what the userinfo endpoint says besides; the ID token, which is signed, wins
 */
export function identityOf(
  payload: JWTPayload,
  userClaims: readonly string[],
  userinfo: Claims = {},
): Identity {
  return {
    issuer: payload.iss ?? '',
    subject: payload.sub ?? '',
    providerSessionId: textOf(payload.sid),
    loginIssuedAtSeconds: payload.iat ?? 0,
    authTimeSeconds: numberOf(payload.auth_time),
    acr: textOf(payload.acr),
    claims: chosenClaims({ ...userinfo, ...payload }, userClaims),
  }
}

/**
 * The identity after a refresh: user and login stay pinned, the claims are those of the new ID token, so that a right which was taken away
 * is gone. Only what is said about the sign-in itself may be left out of it (OpenID Connect Core section 12.2).
 *
 * @param userinfo what the userinfo endpoint says now; `undefined`: it was asked and did not say, so that the old claims stand
 * @param userRef pseudonym of a subject, for the log
 * @throws IdTokenError when it is another user's, or of another sign-in
 */
export function refreshedIdentity(
  payload: JWTPayload,
  pinned: Identity,
  userClaims: readonly string[],
  userinfo: Claims | undefined,
  userRef: (issuer: string, subject: string) => string,
): Identity {
  if (payload.iss !== pinned.issuer || payload.sub !== pinned.subject) {
    throw new IdTokenError('sub', {
      expected: userRef(pinned.issuer, pinned.subject),
      received: userRef(String(payload.iss), String(payload.sub)),
    })
  }
  // A later one is the user signing in at the provider again, in this session's favour; an earlier one is another sign-in.
  const authTime = numberOf(payload.auth_time)
  if (authTime !== undefined && pinned.authTimeSeconds !== undefined && authTime < pinned.authTimeSeconds) {
    throw new IdTokenError('auth_time', {
      expected: `not earlier than ${pinned.authTimeSeconds}`,
      received: authTime,
    })
  }
  const kept = userinfo === undefined ? pinned.claims : keptClaims(pinned.claims)
  return { ...pinned, claims: { ...kept, ...chosenClaims({ ...userinfo, ...payload }, userClaims) } }
}

/** What a refreshed ID token may leave out. */
const signInClaims: ReadonlySet<string> = new Set(['sid', 'amr', 'acr', 'auth_time'])

function keptClaims(claims: Claims): Claims {
  return Object.fromEntries(
    Object.entries(claims).filter(([name]) => signInClaims.has(name.replace(/^\//, ''))),
  )
}

/** When the provider wants the session to end, epoch seconds. */
export function sessionExpiryOf(payload: JWTPayload): number | undefined {
  const seconds = numberOf(payload.session_expiry)
  return seconds !== undefined && seconds > 0 && seconds < latestEpochSeconds ? seconds : undefined
}

function chosenClaims(claims: Claims, names: readonly string[]): Claims {
  const chosen = pickClaims(claims, names)
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
