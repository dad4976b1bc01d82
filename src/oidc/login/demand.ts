import { createHash } from 'node:crypto'
import type { JWTPayload } from 'jose'
import { isPlainObject } from '../../basics/plain-object.ts'
import type { LoginDemand, LoginTransaction } from '../provider/provider.ts'

/** Names a demand in a session's record: equal words have equal keys. */
export function demandKey({ acrValues, maxAge, claims }: LoginDemand): string {
  const words = JSON.stringify([acrValues ?? null, maxAge ?? null, claims ?? null])
  return createHash('sha256').update(words).digest('base64url').slice(0, 22)
}

/** The demand that a login answers, whether it came sealed or in a link. */
export function demandOf(transaction: LoginTransaction): string | undefined {
  const { stepUp, acrValues, maxAgeSeconds } = transaction
  if (stepUp !== undefined) return stepUp.key
  if (acrValues === undefined && maxAgeSeconds === undefined) return undefined
  return demandKey({ acrValues, maxAge: maxAgeSeconds === undefined ? undefined : `${maxAgeSeconds}` })
}

/**
 * The `claims` parameter of the authorization request: the operator's, and a sealed demand's. Beside the demand's `acr_values` the operator's
 * own `acr` would ask for two things at once.
 */
export function claimsParameter(
  operators: string | undefined,
  { acrValues, claims: demanded }: LoginDemand = {},
): Readonly<Record<string, string>> {
  const kept = operators === undefined || acrValues === undefined ? operators : withoutAcr(operators)
  if (demanded !== undefined) return { claims: mergeClaims(kept, demanded) }
  return kept === undefined ? {} : { claims: kept }
}

function withoutAcr(claims: string): string {
  const { id_token: asked, ...others } = parse(claims)
  if (!isPlainObject(asked) || !Object.hasOwn(asked, 'acr')) return claims
  const rest = Object.entries(asked).filter(([name]) => name !== 'acr')
  return JSON.stringify({ ...others, id_token: Object.fromEntries(rest) })
}

/** Both requests in one, member by member; of the same claim the demand's counts. */
function mergeClaims(operatorClaims: string | undefined, demanded: string): string {
  if (operatorClaims === undefined) return demanded
  const merged: Record<string, unknown> = { ...parse(operatorClaims) }
  for (const [target, claims] of Object.entries(parse(demanded))) {
    const fixed = merged[target]
    merged[target] = isPlainObject(fixed) && isPlainObject(claims) ? { ...fixed, ...claims } : claims
  }
  return JSON.stringify(merged)
}

function parse(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text)
  return isPlainObject(value) ? value : {}
}

/** A claim that did not come as it was asked for. */
export interface UnmetClaim {
  readonly name: string
  readonly expected: unknown
  readonly received: unknown
}

/**
 * The first claim of the ID token that a `claims` demand asked for and that did not come as asked (OpenID Connect Core section 5.5.1), or
 * `undefined` when all is well. What was asked of access tokens is the API's to judge.
 */
export function unmetClaim(claims: string | undefined, payload: JWTPayload): UnmetClaim | undefined {
  if (claims === undefined) return undefined
  const { id_token: asked } = parse(claims)
  if (!isPlainObject(asked)) return undefined
  const unmet = Object.entries(asked).find(([name, wish]) => !isMet(wish, payload[name]))
  if (unmet === undefined) return undefined
  const [name, wish] = unmet
  const wanted = wantedBy(wish)
  return { name, expected: wanted.length === 0 ? 'any' : wanted, received: payload[name] }
}

function wantedBy(wish: unknown): readonly unknown[] {
  if (!isPlainObject(wish)) return []
  if (Array.isArray(wish.values)) return wish.values
  return 'value' in wish ? [wish.value] : []
}

function isMet(wish: unknown, found: unknown): boolean {
  if (!isPlainObject(wish)) return true
  const wanted = wantedBy(wish)
  if (wanted.length === 0) return wish.essential !== true || found !== undefined
  const values: readonly unknown[] = Array.isArray(found) ? found : [found]
  return wanted.some((each) => values.includes(each))
}
