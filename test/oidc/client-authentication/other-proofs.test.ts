import { generateKeyPairSync, type KeyObject, verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClientError, type ServerMetadata } from 'openid-client'
import { afterAll, describe, expect, it } from 'vitest'
import { GatewayError } from '../../../src/errors/gateway-error.ts'
import {
  type ClientAuthenticationOptions,
  createClientAuthentication,
} from '../../../src/oidc/client-authentication/client-authentication.ts'
import { createClientKeys } from '../../../src/oidc/client-authentication/client-keys.ts'
import { assertionAudience } from '../../../src/oidc/provider/assertion-audience.ts'
import { classifyFailure, loginFailure } from '../../../src/oidc/provider/failures/provider-error.ts'
import { silentLogger } from '../../../src/telemetry/logs/logger.ts'

const folder = mkdtempSync(join(tmpdir(), 'coatcheck-client-'))
afterAll(() => rmSync(folder, { recursive: true }))

const issuer = 'https://issuer.example/'
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const ed25519 = generateKeyPairSync('ed25519')
const pem = (key: KeyObject) => key.export({ format: 'pem', type: 'pkcs8' }).toString()

/** What a request would show: one for each call. */
function prover(options: Partial<ClientAuthenticationOptions>) {
  const all = {
    clientId: 'client',
    clientSecret: undefined,
    clientAuthentication: 'auto',
    ...options,
  } as const
  const log = silentLogger()
  const { apply } = createClientAuthentication(all, createClientKeys(all, log), log, {
    audienceAt: assertionAudience,
  })
  return async (announced: Partial<ServerMetadata> = {}) => {
    const [body, headers] = [new URLSearchParams(), new Headers()]
    const done: unknown = apply(
      { issuer, token_endpoint: `${issuer}token`, ...announced },
      { client_id: 'client' },
      body,
      headers,
    )
    await done
    expect(headers.has('authorization')).toBe(false)
    return Object.fromEntries(body)
  }
}

function parts(jwt = '') {
  const [header = '', payload = '', signature = ''] = jwt.split('.')
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
  const input = Buffer.from(`${header}.${payload}`)
  return {
    header: read(header),
    payload: read(payload),
    input,
    signature: Buffer.from(signature, 'base64url'),
  }
}

const unsigned = (payload: object) =>
  ['{"alg":"RS256"}', JSON.stringify(payload), 'x']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.')

describe('private_key_jwt', () => {
  it('shows an assertion for the issuer, good for a minute, another one each time', async () => {
    const prove = prover({ clientKey: pem(p256.privateKey) })
    const { client_assertion: first, ...form } = await prove()
    expect(form).toEqual({
      client_id: 'client',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    })
    const { header, payload, input, signature } = parts(first)
    const key = { key: p256.publicKey, dsaEncoding: 'ieee-p1363' } as const
    expect(verify('sha256', input, key, signature)).toBe(true)
    expect(header).toEqual({ alg: 'ES256', kid: expect.stringMatching(/^[\w-]{43}$/) })
    expect(payload).toMatchObject({ iss: 'client', sub: 'client', aud: issuer })
    expect(payload.exp - payload.iat).toBeLessThanOrEqual(60)
    expect(Math.abs(payload.iat - Date.now() / 1_000)).toBeLessThan(5)
    const second = parts((await prove()).client_assertion)
    expect(second.payload.jti).not.toBe(payload.jti)
  })

  const hydra = (origin: string) => ({
    end_session_endpoint: `${issuer.replace(/\/$/, '')}/oauth2/sessions/logout`,
    token_endpoint: `${origin}/oauth2/token`,
  })
  it.each([
    ['names the token endpoint to Hydra, which takes nothing else', hydra(new URL(issuer).origin), 'own'],
    ['names no endpoint on another origin, whoever announces it', hydra('https://victim.example'), 'issuer'],
    ['names the issuer to whoever is not Hydra', { token_endpoint: `${new URL(issuer).origin}/t` }, 'issuer'],
  ])('%s', async (_what, metadata, whom) => {
    const { client_assertion: jwt } = await prover({ clientKey: pem(p256.privateKey) })(metadata)
    expect(parts(jwt).payload.aud).toBe(whom === 'issuer' ? issuer : metadata.token_endpoint)
  })

  it.each([
    ['RSA, PS256 announced', rsa, ['RS256', 'PS256'], 'PS256'],
    ['RSA, nothing announced', rsa, undefined, 'RS256'],
    ['Ed25519, nothing announced', ed25519, undefined, 'EdDSA'],
    ['Ed25519 by its newer name', ed25519, ['Ed25519'], 'Ed25519'],
  ] as const)(
    'is signed as the provider takes it: %s',
    async (_name, { privateKey, publicKey }, announced, alg) => {
      const prove = prover({ clientKey: pem(privateKey) })
      const { client_assertion: jwt } = await prove(
        announced === undefined ? {} : { token_endpoint_auth_signing_alg_values_supported: [...announced] },
      )
      const { header, input, signature } = parts(jwt)
      expect(header.alg).toBe(alg)
      if (alg !== 'PS256')
        expect(verify(/^Ed/.test(alg) ? null : 'sha256', input, publicKey, signature)).toBe(true)
    },
  )

  it('is refused by ourselves where the provider takes no algorithm of the key', async () => {
    const prove = prover({ clientKey: pem(rsa.privateKey) })
    const answer = prove({ token_endpoint_auth_signing_alg_values_supported: ['ES256'] })
    await expect(answer).rejects.toThrow(GatewayError)
    await expect(answer).rejects.toMatchObject({ code: 'provider_rejected' })
  })

  it.each([
    ['provider_rejected', { kind: 'rejected', isOwn: true }],
    ['provider_unavailable', { kind: 'unavailable' }],
  ] as const)(
    'that fails of itself is told by its own reason, %s, through the OpenID library too',
    (code, outcome) => {
      const own = new GatewayError(code, { context: { reason: 'no key' } })
      const wrapped = new ClientError('something went wrong', { cause: own })
      expect(loginFailure(wrapped)).toBe(own)
      expect(classifyFailure(wrapped)).toMatchObject({ ...outcome, error: 'no key' })
    },
  )

  it('follows its file', async () => {
    const path = join(folder, 'key.pem')
    writeFileSync(path, pem(p256.privateKey))
    const prove = prover({ clientKey: pem(p256.privateKey), settingFiles: { CLIENT_KEY: path } })
    const before = parts((await prove()).client_assertion).header.kid
    writeFileSync(path, `${pem(ed25519.privateKey)}${pem(p256.privateKey)}`)
    const after = parts((await prove()).client_assertion).header
    expect(after.alg).toBe('EdDSA')
    expect(after.kid).not.toBe(before)
    writeFileSync(path, 'half a ke')
    expect(parts((await prove()).client_assertion).header.kid).toBe(after.kid)
  })
})

describe('an assertion of the platform', () => {
  it('is read again when it has changed, and named after its subject', async () => {
    const path = join(folder, 'token')
    const prove = prover({ clientAssertionFile: path })
    await expect(prove()).rejects.toMatchObject({ code: 'provider_unavailable' })
    writeFileSync(path, `${unsigned({ sub: 'system:serviceaccount:shop:coatcheck' })}\n`)
    expect(await prove()).toEqual({
      client_id: 'client',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: unsigned({ sub: 'system:serviceaccount:shop:coatcheck' }),
    })
    writeFileSync(path, unsigned({ sub: 'spiffe://example.org/coatcheck' }))
    expect(await prove()).toMatchObject({
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe',
    })
    writeFileSync(path, 'not yet written')
    expect(await prove()).toMatchObject({
      client_assertion: unsigned({ sub: 'spiffe://example.org/coatcheck' }),
    })
  })
})

describe('the way that is gone by itself', () => {
  const clientKey = pem(p256.privateKey)
  const everything = {
    clientKey,
    clientCertificate: 'certificate',
    clientSecret: 'secret',
    clientAssertionFile: '/none',
  }
  const tls = { token_endpoint_auth_methods_supported: ['client_secret_post', 'self_signed_tls_client_auth'] }

  it('is the certificate where that is announced, then the key, then the assertion, then the secret', async () => {
    expect(await prover(everything)(tls)).toEqual({ client_id: 'client' })
    expect(await prover(everything)()).toHaveProperty('client_assertion')
    expect(await prover({ clientCertificate: 'certificate' })()).toEqual({ client_id: 'client' })
    expect(await prover({ clientCertificate: 'certificate', clientSecret: 'secret' })()).toHaveProperty(
      'client_secret',
    )
    expect(await prover({ clientAuthentication: 'none' })()).toEqual({ client_id: 'client' })
  })
})
