import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProviderOptions } from '../../../src/oidc/provider/options.ts'
import type { Provider } from '../../../src/oidc/provider/provider.ts'
import { publishedKeys, readPrivateKeys } from '../../../src/signing/signing-keys.ts'
import { finishLogin, openFapi, signIn } from '../../support/provider/fapi-login.ts'
import { type FapiProvider, fapiAudience, startFapiProvider } from '../../support/provider/fapi-provider.ts'

const keyPem = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ format: 'pem', type: 'pkcs8' })
  .toString()
const openerPem = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  .privateKey.export({ format: 'pem', type: 'pkcs8' })
  .toString()
const jwks = {
  keys: [
    ...publishedKeys(readPrivateKeys(keyPem), 'sig'),
    ...publishedKeys(readPrivateKeys(openerPem), 'enc'),
  ],
}

let fapi: FapiProvider
const opened: Provider[] = []
beforeAll(async () => {
  const client = {
    token_endpoint_auth_method: 'private_key_jwt',
    jwks,
    authorization_signed_response_alg: 'PS256',
  }
  fapi = await startFapiProvider({ client })
})
afterAll(async () => {
  for (const provider of opened) await provider.close()
  await fapi.stop()
})

function open(changes: Partial<ProviderOptions> = {}): Provider {
  const provider = openFapi(fapi, { clientKey: keyPem, ...changes })
  opened.push(provider)
  return provider
}

const lastOf = (path: string) => fapi.requests.findLast((request) => request.path === path)
const claimsOf = (jwt = '') => JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())

describe('a provider of the FAPI 2.0 profile', () => {
  it('is signed in at, refreshed and revoked with assertions; the browser carries a reference only', async () => {
    const provider = open()
    const { login, url } = await signIn(fapi, provider)
    expect([...url.searchParams.keys()].sort()).toEqual(['client_id', 'request_uri'])
    const push = lastOf('/request')
    expect(push?.form.get('code_challenge_method')).toBe('S256')
    expect(push?.form.get('client_assertion')).toBeTruthy()
    expect(claimsOf(push?.form.get('client_assertion') ?? '').aud).toBe(fapi.issuer)
    expect(login.identity.claims).toMatchObject({ name: 'Ada' })
    const outcome = await provider.refresh({
      refreshToken: login.refreshToken ?? '',
      identity: login.identity,
      audience: {
        key: 'api',
        value: undefined,
        parameter: 'none',
        accepted: [fapiAudience],
        scope: undefined,
      },
    })
    expect(outcome.kind).toBe('refreshed')
    expect(await provider.revoke(login.refreshToken ?? '', 'logout')).toBe(true)
    const assertions = fapi.requests.flatMap(({ form }) => form.get('client_assertion') ?? [])
    expect(new Set(assertions.map((jwt) => claimsOf(jwt).jti)).size).toBe(assertions.length)
  })

  it('gets a signed request, nothing of it outside', async () => {
    await signIn(fapi, open({ requestObject: 'signed' }))
    const { form } = lastOf('/request') ?? {}
    const outside = ['client_assertion', 'client_assertion_type', 'client_id', 'request']
    expect([...(form?.keys() ?? [])].filter((name) => form?.get(name) !== '').sort()).toEqual(
      expect.arrayContaining(outside),
    )
    const claims = claimsOf(form?.get('request') ?? '')
    expect(claims).toMatchObject({ aud: fapi.issuer, response_type: 'code', code_challenge_method: 'S256' })
    expect(claims.exp - claims.nbf).toBeLessThanOrEqual(60)
  })

  it('answers with a signed response, found by its state and taken only with its signature', async () => {
    const provider = open({ responseMode: 'jwt' })
    const { callback } = await signIn(fapi, provider)
    expect([...callback.searchParams.keys()]).toEqual(['response'])
  })

  describe('refuses', () => {
    const refusal = async (options: Partial<ProviderOptions>, tamper: (url: URL) => URL) => {
      fapi.tamper = tamper
      const before = fapi.requests.filter(({ path }) => path === '/token').length
      const result = await signIn(fapi, open(options)).then(
        () => undefined,
        (error: unknown) => error as { readonly code: string; readonly context: object },
      )
      fapi.tamper = undefined
      expect(fapi.requests.filter(({ path }) => path === '/token').length).toBe(before)
      return result
    }
    const without = (name: string) => (url: URL) => {
      url.searchParams.delete(name)
      return url
    }

    it('a response without iss, or with a foreign one', async () => {
      expect(await refusal({}, without('iss'))).toMatchObject({ code: 'login_refused' })
      const foreign = (url: URL) => {
        url.searchParams.set('iss', 'https://evil.example')
        return url
      }
      expect(await refusal({}, foreign)).toMatchObject({ code: 'login_refused' })
    })

    it('an unsigned response where a signed one was asked for, and the reverse', async () => {
      const unsigned = (url: URL) => {
        const { state, code, iss } = claimsOf(url.searchParams.get('response') ?? '')
        url.search = `${new URLSearchParams({ state, code, iss })}`
        return url
      }
      expect(await refusal({ responseMode: 'jwt' }, unsigned)).toMatchObject({ code: 'login_refused' })
      const signed = (url: URL) => {
        url.searchParams.set('response', 'a.b.c')
        return url
      }
      expect(await refusal({}, signed)).toMatchObject({ code: 'login_refused' })
    })

    it('an unsigned response by its name: its login is found', async () => {
      const provider = open({ responseMode: 'jwt' })
      expect(await provider.stateOf('code=c&state=the-state', () => undefined)).toBe('the-state')
      expect(await provider.stateOf('response=a.b.c&state=the-state', () => undefined)).toBe('the-state')
    })

    it('a signed response that was changed, or has parameters beside it', async () => {
      const changed = (url: URL) => {
        const [header, , signature] = (url.searchParams.get('response') ?? '').split('.')
        const claims = { ...claimsOf(url.searchParams.get('response') ?? ''), code: 'another' }
        const payload = Buffer.from(JSON.stringify(claims)).toString('base64url')
        url.searchParams.set('response', `${header}.${payload}.${signature}`)
        return url
      }
      expect(await refusal({ responseMode: 'jwt' }, changed)).toMatchObject({ code: 'login_refused' })
      const beside = (url: URL) => {
        url.searchParams.set('code', 'another')
        return url
      }
      expect(await refusal({ responseMode: 'jwt' }, beside)).toMatchObject({ code: 'login_refused' })
    })

    it('an ID token signed with RS256 where the settings leave only what the profile allows', async () => {
      const client = {
        token_endpoint_auth_method: 'private_key_jwt',
        jwks,
        id_token_signed_response_alg: 'RS256',
      }
      const own = await startFapiProvider({ client })
      const [strict, lenient] = [{ idTokenAlgorithm: ['PS256', 'ES256', 'EdDSA'] }, {}].map((options) =>
        openFapi(own, { clientKey: keyPem, ...options }),
      )
      try {
        if (strict === undefined || lenient === undefined) throw new Error('two were opened')
        await expect(signIn(own, strict)).rejects.toMatchObject({
          code: 'login_refused',
          context: expect.objectContaining({ check: 'id_token.alg' }),
        })
        expect((await signIn(own, lenient)).login.identity.subject).toBe('ada')
      } finally {
        await strict?.close()
        await lenient?.close()
        await own.stop()
      }
    })

    it('a login in plain parameters', async () => {
      const provider = open({ pushedAuthorizationRequests: 'off' })
      await expect(signIn(fapi, provider)).rejects.toMatchObject({ code: 'login_denied' })
    })
  })
})

describe('what is encrypted to the client', () => {
  it('is opened: ID token and signed response, by the named key', async () => {
    const client = {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks,
      authorization_signed_response_alg: 'PS256',
      authorization_encrypted_response_alg: 'RSA-OAEP-256',
      authorization_encrypted_response_enc: 'A256GCM',
      id_token_encrypted_response_alg: 'RSA-OAEP-256',
      id_token_encrypted_response_enc: 'A256GCM',
    }
    const own = await startFapiProvider({ client })
    const provider = openFapi(own, { clientKey: keyPem, clientEncryptionKey: openerPem, responseMode: 'jwt' })
    const closed = openFapi(own, { clientKey: keyPem, responseMode: 'jwt' })
    try {
      const { login, callback } = await signIn(own, provider)
      expect(callback.searchParams.get('response')?.split('.')).toHaveLength(5)
      expect(login.idToken.split('.')).toHaveLength(3)
      await expect(signIn(own, closed)).rejects.toMatchObject({ code: 'login_refused' })
    } finally {
      await provider.close()
      await closed.close()
      await own.stop()
    }
  })
})

it('a code is of no use to a second attempt', async () => {
  const provider = open()
  const { begun, callback } = await signIn(fapi, provider)
  await expect(finishLogin(provider, callback, begun.transaction)).rejects.toMatchObject({
    code: 'login_refused',
  })
})
