import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProviderOptions } from '../../../src/oidc/provider/options.ts'
import type { Provider } from '../../../src/oidc/provider/provider.ts'
import { createNonceMemory } from '../../../src/signing/nonces.ts'
import { publishedKeys, readPrivateKeys } from '../../../src/signing/signing-keys.ts'
import { claimsOf } from '../../support/api/proof-verifier.ts'
import { openFapi, signIn } from '../../support/provider/fapi-login.ts'
import {
  type FapiProvider,
  type FapiRequest,
  fapiAudience,
  startFapiProvider,
} from '../../support/provider/fapi-provider.ts'

const keyPem = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ format: 'pem', type: 'pkcs8' })
  .toString()
const audience = {
  key: 'api',
  value: undefined,
  parameter: 'none' as const,
  accepted: [fapiAudience],
  scope: undefined,
}

let demanding: FapiProvider
let plain: FapiProvider
const opened: Provider[] = []
beforeAll(async () => {
  const client = {
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: publishedKeys(readPrivateKeys(keyPem), 'sig') },
  }
  const dPoP = { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true }
  demanding = await startFapiProvider({
    client: { ...client, dpop_bound_access_tokens: true },
    features: { dPoP },
  })
  plain = await startFapiProvider({ client })
})
afterAll(async () => {
  for (const provider of opened) await provider.close()
  await Promise.all([demanding.stop(), plain.stop()])
})

function open(fapi: FapiProvider, changes: Partial<ProviderOptions> = {}, nonces = createNonceMemory()) {
  const provider = openFapi(fapi, { clientKey: keyPem, tokenBinding: 'dpop', ...changes }, { nonces })
  opened.push(provider)
  return provider
}

const jwkOf = (proof = '') => JSON.parse(Buffer.from(proof.split('.')[0] ?? '', 'base64url').toString()).jwk
const thumbprintOf = ({ crv, kty, x, y }: Record<string, string>) =>
  createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')
const since = (from: number): readonly FapiRequest[] => demanding.requests.slice(from)

describe('a provider that binds tokens to keys and wants its nonce in every proof', () => {
  it('binds code, tokens and refreshed tokens of a session to one key, and asks for its nonce once a process', async () => {
    const nonces = createNonceMemory()
    const from = demanding.requests.length
    const provider = open(demanding, {}, nonces)
    const { login } = await signIn(demanding, provider)
    const asked = since(from).filter(({ dpop }) => dpop !== undefined)
    expect(asked.map(({ path, status }) => `${path} ${status}`)).toEqual([
      '/request 400',
      '/request 201',
      '/token 200',
    ])
    const [thumbprint, ...others] = new Set(asked.map(({ dpop }) => thumbprintOf(jwkOf(dpop))))
    expect(others).toEqual([])
    expect(asked[1]?.form.get('dpop_jkt')).toBe(thumbprint)
    expect(claimsOf(login.accessToken.value).cnf).toEqual({ jkt: thumbprint })
    expect(login.accessToken.boundTo).toBe(thumbprint)
    expect(login.binding).toMatchObject({ kind: 'dpop' })

    const other = demanding.requests.length
    const second = open(demanding, {}, nonces)
    await signIn(demanding, second)
    expect(since(other).filter(({ status }) => status >= 400)).toEqual([])
    const outcome = await second.refresh({
      refreshToken: login.refreshToken ?? '',
      identity: login.identity,
      audience,
      binding: login.binding,
    })
    expect(outcome).toMatchObject({ kind: 'refreshed', accessToken: { boundTo: thumbprint } })
    const proof = demanding.requests.at(-1)?.dpop
    expect(thumbprintOf(jwkOf(proof))).toBe(thumbprint)
    expect(claimsOf(proof)).toMatchObject({ htm: 'POST', htu: `${demanding.issuer}/token` })
    const assertions = since(from).flatMap(({ form }) => form.get('client_assertion') ?? [])
    expect(new Set(assertions.map((jwt) => claimsOf(jwt).jti)).size).toBe(assertions.length)
    const proofs = since(from).flatMap(({ dpop }) => dpop ?? [])
    expect(new Set(proofs.map((each) => claimsOf(each).jti)).size).toBe(proofs.length)
  })

  it('is signed in at whatever nonce was known before', async () => {
    const nonces = createNonceMemory()
    nonces.learn(demanding.issuer, 'of-yesterday', false)
    const { login } = await signIn(demanding, open(demanding, {}, nonces))
    expect(login.binding?.kind).toBe('dpop')
  })

  it('keeps a session to the binding of its record: another key, or none, gets nothing', async () => {
    const provider = open(demanding)
    const { login } = await signIn(demanding, provider)
    const request = { refreshToken: login.refreshToken ?? '', identity: login.identity, audience }
    // Switched off meanwhile: the record decides.
    const off = open(demanding, { tokenBinding: 'none' })
    expect(await off.refresh({ ...request, binding: login.binding })).toMatchObject({ kind: 'refreshed' })
    // The provider binds to any key; a record without one must not be served with it, nor the other way round.
    expect((await off.refresh(request)).kind).not.toBe('refreshed')
  })
})

describe('a provider that binds nothing', () => {
  it('is refused at the login, with the check and both values', async () => {
    await expect(signIn(plain, open(plain))).rejects.toMatchObject({
      code: 'login_refused',
      context: { check: 'token.type', expected: 'DPoP', received: 'Bearer' },
    })
  })

  it('goes on with sessions from before, although the setting is on', async () => {
    const { login } = await signIn(plain, open(plain, { tokenBinding: 'none' }))
    const refreshToken = login.refreshToken ?? ''
    const outcome = await open(plain).refresh({ refreshToken, identity: login.identity, audience })
    expect(outcome).toMatchObject({ kind: 'refreshed' })
    if (outcome.kind === 'refreshed') expect(outcome.accessToken.boundTo).toBeUndefined()
  })
})
