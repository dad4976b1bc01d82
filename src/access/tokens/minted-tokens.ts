import { randomUUID } from 'node:crypto'
import { createRecentMap } from '../../basics/recent-map.ts'
import type { AccessToken, Identity } from '../../oidc/tokens/token-set.ts'
import type { Claims } from '../../oidc/verification/claims.ts'
import type { Sealer } from '../../sealing/sealer.ts'
import type { SessionView } from '../../session/record/session.ts'
import { signJwt } from '../../signing/jws.ts'
import type { PrivateKey } from '../../signing/signing-keys.ts'
import type { BearerCaller } from '../callers/bearer-callers.ts'
import type { GatewayKeys } from '../gateway-keys.ts'
import type { AccessRules } from '../rules/rules.ts'

/** JWTs that are minted here (RFC 9068), for APIs that cannot verify what the provider issues. */
export interface MintedTokens {
  forSession(rules: AccessRules, session: SessionView): AccessToken
  forBearer(rules: AccessRules, caller: BearerCaller): AccessToken
}

/** What minting needs. */
export interface MintedTokensDependencies {
  readonly keys: Pick<GatewayKeys, 'signing'>
  readonly issuer: string
  readonly clientId: string
  readonly sealer: Pick<Sealer, 'hmac'>
  readonly now: () => number
}

/** The longest life, seconds: a session that ends takes effect at the API within it. */
const longestLifeSeconds = 300
/** One token of a session and route is sent for this long, milliseconds. */
const useMs = 60_000
/** About 1.5 KB each; a forgotten one costs a signature. */
const mostKept = 10_000

interface Kept {
  /** The record that it was minted from: after a refresh the claims may be others. */
  readonly writeId: string
  readonly token: AccessToken
}

/** Makes the minter. */
export function createMintedTokens(dependencies: MintedTokensDependencies): MintedTokens {
  const { keys, sealer, now } = dependencies
  const kept = createRecentMap<Kept>(mostKept)
  const keep = (name: string, writeId: string, mintBy: (key: PrivateKey) => AccessToken): AccessToken => {
    const known = kept.get(name)
    if (known?.writeId === writeId && now() - known.token.obtainedAtMs < useMs) return known.token
    // Asked for here alone: it looks at a file.
    const token = mintBy(keys.signing())
    kept.set(name, { writeId, token })
    return token
  }
  return {
    forSession(rules, session) {
      return keep(`${session.h} ${rules.prefix}`, session.writeId, (key) => {
        const sid = sealer.hmac('public-id', `minted ${session.h}`)
        return mint(
          dependencies,
          key,
          rules,
          { ...ofIdentity(session.identity, rules), sid },
          session.endsAtMs,
        )
      })
    },
    forBearer(rules, caller) {
      return keep(`${caller.key} ${rules.prefix}`, '', (key) =>
        mint(dependencies, key, rules, ofBearer(caller, rules), caller.token.expiresAtMs),
      )
    },
  }
}

function ofIdentity(identity: Identity | undefined, { claims: names }: AccessRules): Claims {
  if (identity === undefined) throw new TypeError('sessions of routes that mint tokens keep their identity')
  const { amr } = identity.claims
  return {
    ...named(names, identity.claims),
    sub: identity.subject,
    acr: identity.acr,
    amr,
    auth_time: identity.authTimeSeconds,
  }
}

function ofBearer({ facts, claims }: BearerCaller, { claims: names }: AccessRules): Claims {
  const { acr, amr, auth_time, client_id, azp } = claims
  return {
    ...named(names, claims),
    sub: facts.subject,
    acr,
    amr,
    auth_time,
    client_id: client_id ?? azp,
  }
}

/** Claims under their names; one that lay deeper under the last part of its pointer. */
function named(names: readonly string[], claims: Claims): Claims {
  return Object.fromEntries(names.map((name) => [name.slice(name.lastIndexOf('/') + 1), claims[name]]))
}

function mint(
  { issuer, clientId, now }: MintedTokensDependencies,
  key: PrivateKey,
  { api }: AccessRules,
  claims: Claims,
  latestEndMs: number,
): AccessToken {
  const obtainedAtMs = now()
  const iat = Math.floor(obtainedAtMs / 1_000)
  const exp = Math.min(iat + longestLifeSeconds, Math.floor(latestEndMs / 1_000))
  const payload = {
    client_id: clientId,
    ...defined(claims),
    iss: issuer,
    aud: api?.accepted[0],
    iat,
    exp,
    jti: randomUUID(),
  }
  const header = { typ: 'at+jwt', kid: key.keyId }
  const value = signJwt(header, payload, { privateKey: key.privateKey, algorithm: 'ES256' })
  return { value, obtainedAtMs, expiresAtMs: exp * 1_000 }
}

function defined(claims: Claims): Claims {
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
}
