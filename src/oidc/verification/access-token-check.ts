import { decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose'
import { isPlainObject } from '../../basics/plain-object.ts'
import type { ProviderHints } from '../provider/profiles/hints.ts'
import type { AccessTokenFault } from '../provider/provider.ts'
import type { ApiAudience } from '../tokens/token-set.ts'

/** What an access token must be. */
export interface AccessTokenRule {
  readonly format: 'jwt' | 'jwt-without-aud' | 'any'
  readonly audience: Pick<ApiAudience, 'value' | 'parameter' | 'accepted'>
  readonly clientId: string
  readonly hints: ProviderHints
}

/** What could be read from an access token, without verifying it: for diagnosis only, never to authorise. */
export interface AccessTokenFacts {
  readonly kind: 'jwt' | 'encrypted' | 'opaque'
  readonly audiences: readonly string[]
  readonly algorithm: string | undefined
  readonly expiresAtSeconds: number | undefined
  /** From `iat` to `exp`, both of the provider's clock. */
  readonly lifeSeconds: number | undefined
  readonly clientIds: readonly string[]
  /** `cnf`: what the token is bound to (RFC 7800 section 3.1). */
  readonly confirmation: Readonly<Record<string, unknown>>
}

/** RFC 6750 section 2.1: what may stand behind `Bearer`. Anything else could break out of the header. */
const bearerToken = /^[A-Za-z0-9\-._~+/]+=*$/
const longestAccessToken = 16 * 1024

/** Whether the text can be sent as a bearer token at all. */
export function isBearerToken(untrustedToken: unknown): untrustedToken is string {
  return (
    typeof untrustedToken === 'string' &&
    untrustedToken.length <= longestAccessToken &&
    bearerToken.test(untrustedToken)
  )
}

const opaque: AccessTokenFacts = {
  kind: 'opaque',
  audiences: [],
  algorithm: undefined,
  expiresAtSeconds: undefined,
  lifeSeconds: undefined,
  clientIds: [],
  confirmation: {},
}

/** Reads what an access token says about itself. */
export function readAccessToken(token: string): AccessTokenFacts {
  const parts = token.split('.').length
  if (parts === 5) return { ...opaque, kind: 'encrypted' }
  if (parts !== 3) return opaque
  try {
    const { alg } = decodeProtectedHeader(token)
    const claims = decodeJwt(token)
    return {
      kind: 'jwt',
      audiences: strings([claims.aud].flat()),
      algorithm: alg,
      expiresAtSeconds: Number.isFinite(claims.exp) ? claims.exp : undefined,
      lifeSeconds: lifeOf(claims),
      clientIds: strings([claims.client_id, claims.azp]),
      confirmation: isPlainObject(claims.cnf) ? claims.cnf : {},
    }
  } catch {
    return opaque
  }
}

function lifeOf({ iat, exp }: JWTPayload): number | undefined {
  const seconds = Number(exp) - Number(iat)
  return Number.isFinite(seconds) && seconds > 0 ? seconds : undefined
}

function strings(values: readonly unknown[]): readonly string[] {
  return values.filter((value) => typeof value === 'string')
}

/**
 * Whether an API can use this access token.
 *
 * @returns `undefined` when it can, else what is wrong and the provider's own fix
 */
export function accessTokenFault(
  facts: AccessTokenFacts,
  rule: AccessTokenRule,
): AccessTokenFault | undefined {
  if (rule.format === 'any') return undefined
  const askedFor = rule.audience.value ?? rule.audience.accepted[0] ?? 'none'
  const fault = (kind: AccessTokenFault['kind'], explanation: string): AccessTokenFault => ({
    kind,
    askedFor,
    found: facts.audiences,
    explanation,
    remedy: rule.hints.accessToken(kind, askedFor),
  })
  const asked = describeRequest(rule.audience)
  if (facts.kind === 'opaque')
    return fault('opaque', `The access token is an opaque string, which an API cannot verify. ${asked}`)
  if (facts.kind === 'encrypted')
    return fault('encrypted', `The access token is encrypted (a JWE), so the API cannot read it. ${asked}`)
  if (rule.format === 'jwt-without-aud') {
    return facts.clientIds.includes(rule.clientId)
      ? undefined
      : fault('wrong_client', 'The access token names another client than ours.')
  }
  if (facts.audiences.length === 0)
    return fault('no_audience', `The access token names no audience. ${asked}`)
  return rule.audience.accepted.some((accepted) => facts.audiences.includes(accepted))
    ? undefined
    : fault(
        'wrong_audience',
        `The access token is for another audience: ${facts.audiences.join(', ')}. ${asked}`,
      )
}

/** What was sent, and how: an audience that never reached the provider must not look like one that it ignored. */
function describeRequest({
  value,
  parameter,
  accepted,
}: Pick<ApiAudience, 'value' | 'parameter' | 'accepted'>): string {
  if (parameter === 'none' || value === undefined) {
    const wanted = accepted[0] === undefined ? '' : ` The API's audience is "${accepted[0]}".`
    return `No audience was sent to the provider, because AUDIENCE_PARAMETER is "none".${wanted}`
  }
  const names = parameter === 'both' ? '"audience" and "resource"' : `"${parameter}"`
  return `The audience "${value}" was sent as ${names}.`
}
