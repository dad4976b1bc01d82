import { decodeJwt, type JWTPayload } from 'jose'
import { type AccessTokenFacts, readAccessToken } from '../verification/access-token-check.ts'
import { claimOf } from '../verification/claims.ts'

/** What an access token says about itself, for a person who asks; not verified, never to authorise. */
export interface TokenFacts extends AccessTokenFacts {
  readonly issuer: string | undefined
  readonly subject: string | undefined
  /** When it was issued, epoch seconds of the provider's clock. */
  readonly issuedAtSeconds: number | undefined
  /** The scope that was granted; `undefined` when the token does not say. */
  readonly scope: readonly string[] | undefined
  /** Where the token says what the user may do, by the claims that providers use for it; empty: nowhere. */
  readonly rights: readonly TokenRights[]
}

/** One claim about the user's rights. */
export interface TokenRights {
  /** The claim's name, or the pointer to it. */
  readonly claim: string
  readonly names: readonly string[]
}

/** Reads what `coatcheck doctor` explains. Claims of a foreign shape count as missing. */
export function readTokenFacts(token: string): TokenFacts {
  const facts = readAccessToken(token)
  const claims: JWTPayload = facts.kind === 'jwt' ? decodeJwt(token) : {}
  return {
    ...facts,
    issuer: typeof claims.iss === 'string' ? claims.iss : undefined,
    subject: typeof claims.sub === 'string' ? claims.sub : undefined,
    issuedAtSeconds: Number.isFinite(claims.iat) ? claims.iat : undefined,
    scope: wordsOf(claims.scope ?? claims.scp),
    rights: rightsIn(claims),
  }
}

/** A list is an array, or one text with blanks between (RFC 8693 section 4.2). */
function wordsOf(claim: unknown): readonly string[] | undefined {
  if (typeof claim === 'string') return claim.split(' ').filter((word) => word !== '')
  return Array.isArray(claim) ? claim.filter((word) => typeof word === 'string') : undefined
}

/** Auth0's and Entra's, RFC 9068's, Keycloak's for the realm, Spring's, Cognito's. */
const namesOfRights = [
  'permissions',
  'roles',
  'groups',
  'entitlements',
  'authorities',
  '/realm_access/roles',
  'cognito:groups',
]
/** Zitadel's, and those that an Action of Auth0 puts under an address: a list, or an object whose members are the roles. */
const namesOfRoles =
  /^(?:urn:zitadel:iam:org:project:(?:.*:)?roles|https?:\/\/.*(?:roles|permissions|groups))$/

function rightsIn(claims: JWTPayload): readonly TokenRights[] {
  const known = namesOfRights.map((claim) => ({ claim, names: wordsOf(claimOf(claims, claim)) }))
  const named = Object.keys(claims)
    .filter((claim) => namesOfRoles.test(claim))
    .map((claim) => ({ claim, names: wordsOf(claims[claim]) ?? membersOf(claims[claim]) }))
  return [...known, ...clientRoles(claims.resource_access), ...named].flatMap(({ claim, names }) =>
    names === undefined ? [] : [{ claim, names }],
  )
}

function membersOf(claim: unknown): readonly string[] | undefined {
  return typeof claim === 'object' && claim !== null ? Object.keys(claim) : undefined
}

/** Keycloak's, for each client. */
function clientRoles(
  claim: unknown,
): readonly { readonly claim: string; readonly names: readonly string[] | undefined }[] {
  if (typeof claim !== 'object' || claim === null) return []
  return Object.entries(claim).map(([client, held]) => ({
    claim: `resource_access.${client}.roles`,
    names: typeof held === 'object' && held !== null ? wordsOf(Reflect.get(held, 'roles')) : undefined,
  }))
}
