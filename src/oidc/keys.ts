import {
  createLocalJWKSet,
  errors,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWSHeaderParameters,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose'
import { GatewayError } from '../errors/gateway-error.ts'
import type { OidcClient } from './client.ts'
import type { ProviderDependencies, ProviderOptions } from './options.ts'

/** The provider's signing keys. */
export interface ProviderKeys {
  /**
   * Verifies a JWT of the provider: signature, `iss`, `aud` = our client id, `exp`, `nbf` (RFC 7519 section 7.2).
   * @throws errors of jose when it is invalid; GatewayError `provider_unavailable` when the keys cannot be had
   */
  verify(
    untrustedJwt: string,
    checks?: Pick<JWTVerifyOptions, 'currentDate' | 'requiredClaims'>,
  ): Promise<{ readonly payload: JWTPayload; readonly header: JWSHeaderParameters }>
}

/** Asymmetric only: with `none` or HS* anybody, or anybody with the client secret, could sign. */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
]
/** Clocks of provider and gateway may differ by this much, seconds. */
export const clockToleranceSeconds = 30
/** Unknown key ids that are looked up at once, so that all logins of a rotation survive it … */
const burstOfFetches = 5
/** … and then one such lookup per this long, so that forged tokens cannot flood the provider, milliseconds. */
const fetchCooldownMs = 30_000
const longestAgeMs = 600_000

/** Fetches, keeps and uses the provider's key set (RFC 7517 section 5). */
export function createProviderKeys(
  client: OidcClient,
  options: ProviderOptions,
  { now }: ProviderDependencies,
): ProviderKeys {
  let cached: { readonly set: ReturnType<typeof createLocalJWKSet>; readonly atMs: number } | undefined
  let fetching: Promise<void> | undefined
  let tokens = burstOfFetches
  let refilledAtMs = now()

  function fetchKeys(): Promise<void> {
    fetching ??= loadKeys(client)
      .then((keys) => {
        cached = { set: createLocalJWKSet(keys), atMs: now() }
      })
      .finally(() => {
        fetching = undefined
      })
    return fetching
  }

  function mayFetchForUnknownKey(): boolean {
    const refills = Math.floor((now() - refilledAtMs) / fetchCooldownMs)
    if (refills > 0) {
      tokens = Math.min(burstOfFetches, tokens + refills)
      refilledAtMs += refills * fetchCooldownMs
    }
    if (tokens === 0) return false
    tokens -= 1
    return true
  }

  async function getKey(header: JWSHeaderParameters, token: FlattenedJWSInput) {
    if (cached === undefined || now() - cached.atMs > longestAgeMs) await fetchKeys()
    try {
      return await currentSet()(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      if (fetching === undefined && !mayFetchForUnknownKey()) throw error
      await fetchKeys()
      return await currentSet()(header, token)
    }
  }

  function currentSet() {
    if (cached === undefined)
      throw new GatewayError('provider_unavailable', { context: { reason: 'no keys' } })
    return cached.set
  }

  return {
    async verify(untrustedJwt, checks = {}) {
      const { payload, protectedHeader } = await jwtVerify(untrustedJwt, getKey, {
        issuer: options.issuerUrl,
        audience: options.clientId,
        algorithms,
        clockTolerance: clockToleranceSeconds,
        currentDate: new Date(now()),
        ...checks,
      })
      return { payload, header: protectedHeader }
    },
  }
}

async function loadKeys(client: OidcClient): Promise<JSONWebKeySet> {
  const uri = (await client.configuration()).serverMetadata().jwks_uri
  if (uri === undefined) throw unavailable('no jwks_uri')
  try {
    const response = await client.fetch(uri, {
      method: 'GET',
      headers: { accept: 'application/json' },
      redirect: 'manual',
      body: undefined,
    })
    if (response.status !== 200) throw unavailable('keys refused')
    const keys = (await response.json()) as JSONWebKeySet
    if (!Array.isArray(keys.keys)) throw unavailable('no key set')
    return keys
  } catch (error) {
    throw error instanceof GatewayError ? error : unavailable('keys unreachable', error)
  }
}

function unavailable(reason: string, cause?: unknown): GatewayError {
  return new GatewayError('provider_unavailable', { context: { reason }, cause })
}
